"""A first question for a freshly loaded model."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.payload import read_table
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.table import Table

__all__ = ["example_tables", "warm_up_requests"]

EXAMPLE = "serving_input_example.json"
MAX_EXAMPLE_BYTES = 1_000_000
_VALUES = {"boolean": False, "string": "", "datetime": "2000-01-01T00:00:00"}


def warm_up_requests(directory: Path, columns: Sequence[Column]) -> list[Request]:
    """Return what to ask first: the version's own example if it has one, and a made-up row."""
    row = {column.name: _made_up(column) for column in columns}
    made_up = json.dumps({"dataframe_records": [row]}).encode()
    example = _example(directory / EXAMPLE)
    bodies = [made_up] if example is None else [example, made_up]
    return [Request("application/json", body) for body in bodies]


def example_tables(directory: Path, columns: Sequence[Column]) -> list[Table]:
    """Return the rows of those requests; what does not fit the columns is left out."""
    tables = []
    for request in warm_up_requests(directory, columns):
        with suppress(InvalidInputError):
            tables.append(read_table(request, columns))
    return tables


def _made_up(column: Column) -> Any:
    """Return a value the model should take; text may stand for a date, so null where it can be."""
    if column.kind == "string" and not column.is_required:
        return None
    return _VALUES.get(column.kind, 0)


def _example(path: Path) -> bytes | None:
    """Return the version's example in strict JSON; None without one that can be read.

    MLflow writes NaN, which is not JSON, where a number is missing (3.17); null stands for that.
    """
    if not path.is_file() or path.stat().st_size > MAX_EXAMPLE_BYTES:
        return None
    try:
        content = json.loads(path.read_bytes(), parse_constant=lambda _: None)
        return json.dumps(content).encode()
    except (ValueError, RecursionError):
        return None
