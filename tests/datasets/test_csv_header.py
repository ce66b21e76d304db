"""The separator and the names of a CSV, whatever stands within quotes."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ml_orchestrator.datasets.csv_header import read_header
from ml_orchestrator.datasets.sources import load_dataset, load_head
from ml_orchestrator.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "separator", "names"),
    [
        ("id;price, EUR, net;y\n1;2.5;a\n", ";", ("id", "price, EUR, net", "y")),
        ("id;price, EUR, net;y\n1;2,5;a\n", ";", ("id", "price, EUR, net", "y")),
        ('"a,b,c,d";"y"\n1;2\n', ";", ("a,b,c,d", "y")),
        ('"a;b;c;d",y\n1,2\n', ",", ("a;b;c;d", "y")),
        ("\ufeffa\tb|c\r\n1\t2\r\n", "\t", ("a", "b|c")),
        ('"x\nz",y\n1,2\n', ",", ("x\nz", "y")),
        ('\n"a ""b""",y\n1,2\n', ",", ('a "b"', "y")),
        ("a;b;c", ";", ("a", "b", "c")),
        ("a,b,c\n1,2,3,\n", ",", ("a", "b", "c")),
        ("a\n1\n", ",", ("a",)),
        ("", ",", ()),
    ],
)
def test_what_separates_is_outside_of_quotes_and_fits_the_second_line(
    text: str, separator: str, names: tuple[str, ...]
) -> None:
    found = read_header("t.csv", text.encode())

    assert (found.separator, found.names) == (separator, names)


@pytest.mark.parametrize("text", ['"x\nz","x\nz",y\n1,2,a\n', '"a ""b""","a ""b"""\n1,2\n'])
def test_a_name_that_comes_twice_is_refused_with_quotes_and_line_breaks(text: str) -> None:
    with pytest.raises(InvalidInputError, match="repeats the column"):
        read_header("t.csv", text.encode())


def test_lines_that_end_with_a_carriage_return_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="End lines with LF or CRLF"):
        read_header("t.csv", b"a,b\r1,2\r")


@pytest.mark.parametrize("max_bytes", [10**6, 500])
@pytest.mark.parametrize("types", [{}, {'a "b"': "categorical"}])
def test_a_name_with_quotes_is_the_same_whole_drawn_and_in_the_head(
    tmp_path: Path, max_bytes: int, types: Any
) -> None:
    rows = "".join(f"0{i % 10},{i},2024-01-0{i % 9 + 1}\n" for i in range(200))
    (tmp_path / "t.csv").write_text(f'"a ""b""","c\nd",when "it" was\n{rows}')
    options: Any = {"roots": [tmp_path], "column_types": types}

    whole = load_dataset("t.csv", max_bytes=max_bytes, **options).frame
    head = load_head("t.csv", n_rows=5, **options).frame

    names = ['a "b"', "c\nd", 'when "it" was']
    assert (
        whole.schema == head.schema == dict(zip(names, [pl.String, pl.Int64, pl.Date], strict=True))
    )
    assert head['a "b"'].to_list() == ["00", "01", "02", "03", "04"]
