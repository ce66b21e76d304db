"""The base of every record that leaves through a tool."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Record"]


class Record(BaseModel):
    """A frozen record without room for fields nobody described.

    Validators are built on first use: at start, the server needs none of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
