"""The input forms of MLflow's ``/invocations``, read into one table.

JSON with ``dataframe_split``, ``dataframe_records``, ``instances`` or ``inputs``; CSV; Parquet.
As in MLflow 3.17, columns that the model does not know are left out and ``params`` are
ignored, since none of our models declares any. Stricter than there: every column is named, null
where a value is missing; a value of the wrong type, NaN and Infinity are refused; and no message
repeats the body.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.signature import Column, check_names, check_rows
from ml_orchestrator.serving.table import Table, from_columns, from_rows

__all__ = ["UnsupportedMediaError", "read_table"]

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
# What pandas, and so MLflow, reads as a missing value in CSV.
MISSING_TEXTS = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # fmt: skip
MAX_PARQUET_BYTES = 100_000_000


class UnsupportedMediaError(InvalidInputError):
    """The content type is not one that MLflow's protocol knows."""


def read_table(request: Request, columns: Sequence[Column]) -> Table:
    """Return the rows of a request in the model's columns.

    Raises:
        UnsupportedMediaError: the content type, its charset or a parameter of it is unknown.
        InvalidInputError: the body cannot be read, or does not fit the columns.
    """
    return _reader(request.content_type)(request.body, columns)


def _reader(content_type: str) -> "Callable[[bytes, Sequence[Column]], Table]":
    if content_type == "application/json":  # nearly always
        return _read_json
    mime, *parameters = (part.strip().lower() for part in content_type.split(";"))
    given = dict(part.partition("=")[::2] for part in parameters if part)
    if given.pop("charset", "utf-8").strip('"') != "utf-8":
        raise UnsupportedMediaError("The scoring server only supports UTF-8.")
    if given:
        raise UnsupportedMediaError(
            f"Unrecognized content type parameters: {', '.join(given)[:80]}. MLflow dropped "
            "'format' in 2.0; name the form in the body: " + ", ".join(FORMS) + "."
        )
    if mime not in _READERS:
        raise UnsupportedMediaError(
            f"This predictor only supports {', '.join(_READERS)}; got {mime[:80]!r}."
        )
    return _READERS[mime]


def _read_json(body: bytes, columns: Sequence[Column]) -> Table:
    content = _decoded(body)
    given = [form for form in FORMS if form in content]
    if len(given) != 1:
        raise InvalidInputError(
            "The input must be a JSON dictionary with exactly one of the input fields "
            f"{', '.join(FORMS)}; found {', '.join(given) or 'none of them'}."
        )
    return _FORMS[given[0]](content[given[0]], columns)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidInputError("The JSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"The body is not JSON: {error.msg}, at {error.pos}.") from None
    except UnicodeDecodeError:
        raise InvalidInputError("The body is not UTF-8 text.") from None
    except InvalidInputError:
        raise
    except ValueError:  # a whole number of more digits than Python converts
        raise InvalidInputError("The JSON holds a number of too many digits.") from None
    if not isinstance(content, dict):
        raise InvalidInputError("The body must be a JSON dictionary, not a list or a value.")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInputError(f"{name} is not JSON; use null for a missing value.")


def _split(content: Any, columns: Sequence[Column]) -> Table:
    if not isinstance(content, dict) or "data" not in content:
        raise InvalidInputError("dataframe_split must be a dictionary with data and columns.")
    if unknown := content.keys() - {"columns", "index", "data"}:
        raise InvalidInputError(
            f"dataframe_split has fields other than columns, index and data: {_some(unknown)}."
        )
    return from_rows(content["data"], columns, names=content.get("columns"))


def _records(content: Any, columns: Sequence[Column]) -> Table:
    if not isinstance(content, list):
        raise InvalidInputError("dataframe_records must be a list of records.")
    check_rows(len(content))
    if not all(isinstance(row, dict) for row in content):
        raise InvalidInputError("dataframe_records must hold dictionaries only.")
    check_names(set().union(*content), columns)
    return from_columns(
        {column.name: [row.get(column.name) for row in content] for column in columns}, columns
    )


def _tensor(content: Any, columns: Sequence[Column]) -> Table:
    if isinstance(content, dict):
        return _by_column(content, columns)
    if not isinstance(content, list):
        content = [content]
    check_rows(len(content))
    if isinstance(content[0], dict):
        return _records(content, columns)
    if not any(isinstance(row, list) for row in content):
        content = [[value] for value in content] if len(columns) == 1 else [content]
    return from_rows(content, columns, names=None)


def _by_column(content: Mapping[str, Any], columns: Sequence[Column]) -> Table:
    check_names(content.keys(), columns)
    known = {column.name: content[column.name] for column in columns}
    if not any(isinstance(values, list) for values in known.values()):
        known = {name: [value] for name, value in known.items()}  # one row
    if not all(isinstance(values, list) for values in known.values()):
        raise InvalidInputError("Every column must be a list of values.")
    lengths = {len(values) for values in known.values()}
    if len(lengths) != 1:
        raise InvalidInputError("The columns differ in length.")
    (n_rows,) = lengths
    check_rows(n_rows)
    return from_columns(known, columns)


def _read_csv(body: bytes, columns: Sequence[Column]) -> Table:
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        rows = [row for row in lines if row]
    except UnicodeDecodeError:
        raise InvalidInputError("The body is not UTF-8 text.") from None
    except csv.Error as error:
        raise InvalidInputError(f"The body is not CSV: {error}.") from None
    check_rows(len(rows))
    if any(len(row) != len(header) for row in rows):
        raise InvalidInputError(f"A line of the CSV has not {len(header)} fields.")
    check_names(header, columns)
    texts = dict(zip(header, zip(*rows, strict=True), strict=True))
    return _by_column(
        {c.name: [_from_text(text, c.kind) for text in texts[c.name]] for c in columns}, columns
    )


def _from_text(text: str, kind: str) -> Any:
    """Return the value a CSV field stands for; text that stands for none is refused later."""
    if text in MISSING_TEXTS:
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in ("string", "datetime") or "_" in text:
        return text
    try:
        return int(text) if kind in ("integer", "long") else float(text)
    except ValueError:
        return text


def _read_parquet(body: bytes, columns: Sequence[Column]) -> Table:
    try:
        parquet = pq.ParquetFile(pa.BufferReader(body))
        check_rows(parquet.metadata.num_rows)
        groups = range(parquet.metadata.num_row_groups)
        if sum(parquet.metadata.row_group(g).total_byte_size for g in groups) > MAX_PARQUET_BYTES:
            raise InvalidInputError(f"The Parquet unpacks to over {MAX_PARQUET_BYTES} bytes.")
        wanted = [c.name for c in columns if c.name in parquet.schema_arrow.names]
        content = parquet.read(columns=wanted).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"The body is not Parquet ({type(error).__name__}).") from None
    return _by_column({n: [_json_like(v) for v in vs] for n, vs in content.items()}, columns)


def _json_like(value: Any) -> Any:
    if isinstance(value, float) and np.isnan(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def _some(names: Any) -> str:
    return ", ".join(sorted(str(name)[:80] for name in names)[:10])


_READERS = {
    "application/json": _read_json,
    "text/csv": _read_csv,
    "application/vnd.apache.parquet": _read_parquet,
}
_FORMS: dict[str, Callable[[Any, Sequence[Column]], Table]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _tensor,
    "inputs": _tensor,
}
