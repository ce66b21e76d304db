"""A first question for a freshly loaded model."""

import json
from collections.abc import Sequence
from pathlib import Path

from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.signature import Column

__all__ = ["warm_up_requests"]

EXAMPLE = "serving_input_example.json"
MAX_EXAMPLE_BYTES = 1_000_000
_VALUES = {"boolean": False, "string": "", "datetime": "2000-01-01T00:00:00"}


def warm_up_requests(directory: Path, columns: Sequence[Column]) -> list[Request]:
    """Return what to ask first: the version's own example if it has one, and a made-up row."""
    row = {column.name: _VALUES.get(column.kind, 0) for column in columns}
    made_up = json.dumps({"dataframe_records": [row]}).encode()
    path = directory / EXAMPLE
    has_example = path.is_file() and path.stat().st_size <= MAX_EXAMPLE_BYTES
    bodies = [path.read_bytes(), made_up] if has_example else [made_up]
    return [Request("application/json", body) for body in bodies]
