"""Arguments that several tools share."""

from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.identity import AgentName

__all__ = [
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

Agent: TypeAlias = Annotated[AgentName, Field(description="Your name.")]
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=128,
        pattern="^[^@]",  # keys with an @ are the server's own
        description="Same key: done once.",
    ),
]
Cursor: TypeAlias = Annotated[
    str | None,
    Field(pattern=r"^[\x21-\x7e]{1,256}$", description="The last next_cursor."),
]
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
