"""The first line that is no part of a table is found and named."""

from pathlib import Path

import pytest

from ml_orchestrator.datasets import line_faults
from ml_orchestrator.datasets.line_faults import csv_fault, json_lines_fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", None),
        (b"a,b\n1\n", None),  # what is not there is missing
        (b"", None),
        (b'a,b\n"1\n1",2\n3,4,5\n', "line 4 has 3 values and the header 2 names: 3,4,5"),
        (b'\xef\xbb\xbfa,b\n1,"2\n', "line 2: a quote begins there that does not end"),
        (b"a,b\n1,2\n\xff\n", "line 3 is not UTF-8: b'\\xff\\n'"),
        (b'a,b\n"' + b"x" * 140_000 + b'",2\n', None),  # more than a field may have here
        (b"a,b\n1,2," + b"\x1b[31m" * 40 + b"\n", "1,2,?[31m?[31m"),
    ],
)
def test_of_a_csv(tmp_path: Path, content: bytes, said: str | None) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    found = csv_fault(path, ",")

    assert found is None if said is None else said in str(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n\n{"a": 2}\n', None),
        (b'{"a": 1}\n\n[2]\n', "line 3 is no JSON object: [2]"),
        (b'{"a": 1}\n{"a"\n', "line 2 is not JSON (Expecting ':' delimiter): {\"a\""),
        (b"\xff\n", "line 1 is not JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}\n", "line 1 cannot be read"),
        (b"[" * 200_000 + b"\n", "line 1 cannot be read"),
    ],
)
def test_of_json_lines(tmp_path: Path, content: bytes, said: str | None) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    found = json_lines_fault(path)

    assert found is None if said is None else said in str(found)


def test_a_large_file_is_not_looked_through_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_faults, "MOST_BYTES", 20)
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 10 + b"1,2,3\n")

    assert csv_fault(path, ",") is None
