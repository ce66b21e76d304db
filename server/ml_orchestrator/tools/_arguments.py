"""Arguments that several tools share."""

from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.faults import formed
from ml_orchestrator.identity import AgentName

__all__ = [
    "RULE_PATTERN",
    "RULE_WORDS",
    "Agent",
    "ColumnTypes",
    "Cursor",
    "IdempotencyKey",
    "ModelName",
    "Page",
    "RunId",
    "Source",
    "WaitS",
]

RULE_PATTERN, RULE_WORDS = "[a-z_]{1,40}", "must be a rule's name, of small letters and '_'"
Agent: TypeAlias = Annotated[AgentName, Field(description="Your name.")]
_Key = Annotated[
    str,
    Field(min_length=1, max_length=128),
    formed(r"(?!@)[\s\S]*", "must not begin with '@', as keys of the server's own do"),
]
IdempotencyKey: TypeAlias = Annotated[_Key | None, Field(description="Same key: done once.")]
_Mark = Annotated[
    str,
    formed(r"[\x21-\x7e]{1,256}", "must be the next_cursor of the page before, as it stands there"),
]
Cursor: TypeAlias = Annotated[_Mark | None, Field(description="The last next_cursor.")]
Page: TypeAlias = Annotated[int, Field(ge=1, le=100, description="At most.")]
ModelName: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=128, description="Model name.")
]
RunId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, description="Of the run.")]
Source: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_000,
        description="File (CSV, JSONL, Parquet, Arrow) or builtin:NAME.",
    ),
]
ColumnTypes: TypeAlias = Annotated[
    dict[str, ColumnType],
    WithJsonSchema({"type": "object"}),  # a shorter one, for the model
    Field(
        max_length=500,
        description="Column to numeric, categorical, boolean, temporal or ignore.",
    ),
]
WaitS: TypeAlias = Annotated[
    float,
    Field(ge=0, le=50, description="Wait for the end."),
]
