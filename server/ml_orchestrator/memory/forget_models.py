"""What forgetting would do, and what it did."""

from typing import Annotated

from pydantic import Field

from ml_orchestrator.memory.models import Kind
from ml_orchestrator.records import Record

__all__ = ["Forgetting", "Forgotten", "PlannedRecord"]


class PlannedRecord(Record):
    """A record that is to be forgotten."""

    record_id: str
    kind: Kind
    agent: str
    at: str
    text: str
    flags: list[str]
    n_merged: int


class Forgetting(Record):
    """A plan: what would be forgotten, and what would be different afterwards."""

    records: list[PlannedRecord]
    pinned: Annotated[list[str], Field(description="Fitting records that stay: they are pinned.")]
    unknown: Annotated[list[str], Field(description="Ids that no record has.")]
    effects: Annotated[list[str], Field(description="Records of each agent, before and after.")]
    has_more: Annotated[bool, Field(description="More fit than one call forgets.")]
    digest: Annotated[str, Field(description="Pass it as plan_digest to do exactly this.")]


class Forgotten(Record):
    """A plan and whether it was carried out."""

    plan: Forgetting
    is_done: bool
    forgotten_at: str | None = None
