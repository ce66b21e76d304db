"""What is kept how long, and what a pass has removed."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.records import Record
from ml_orchestrator.settings import Settings

__all__ = ["DAY_S", "KeepRules", "Pruned", "read_age"]

HOUR_S, DAY_S = 3_600.0, 86_400.0
_UNITS = {"h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}
_AGE = re.compile(r"(\d{1,5})([hdw])")


@dataclass(frozen=True, slots=True)
class KeepRules:
    """How long finished runs are kept, in s.

    Attributes:
        runs_s: those that somebody asked for.
        by_itself_s: looks of monitors, and what a schedule started.
        least: so many of each workflow, the newest, are kept however old they are; and so many
            looks of each monitor.
    """

    runs_s: float
    by_itself_s: float
    least: int

    @classmethod
    def of(cls, settings: Settings) -> "KeepRules":
        """Return those of an installation."""
        return cls(
            settings.runs_keep_days * DAY_S,
            settings.scheduled_keep_days * DAY_S,
            settings.runs_keep_least,
        )

    def for_all(self, age_s: float | None, least: int | None) -> "KeepRules":
        """Return them with one age for everything, or another least number, where given."""
        changed = self if age_s is None else replace(self, runs_s=age_s, by_itself_s=age_s)
        return changed if least is None else replace(changed, least=least)

    def kept_s(self, *, is_by_itself: bool) -> float:
        """Return how long a run is kept after its end."""
        return self.by_itself_s if is_by_itself else self.runs_s


def read_age(text: str) -> float:
    """Return an age in s, from a number with h, d or w.

    >>> read_age("90d") == 90 * DAY_S
    True

    Raises:
        InvalidInputError: it is written otherwise, or is less than an hour: a step in a thread
            may go on for a while after its run was cancelled.
    """
    found = _AGE.fullmatch(text)
    if found is None or (age_s := int(found[1]) * _UNITS[found[2]]) < HOUR_S:
        raise InvalidInputError(
            f"--older-than takes hours, days or weeks, such as 12h, 90d or 8w; found {text!r}."
        )
    return age_s


class Pruned(Record):
    """What a pass has removed, or would remove."""

    is_dry_run: bool
    n_runs: Annotated[int, Field(description="Runs that somebody asked for, all attempts as one.")]
    n_by_itself: Annotated[int, Field(description="Looks of monitors and scheduled runs.")]
    n_reduced: Annotated[
        int, Field(description="Runs that registered a version: their files went, the row stays.")
    ]
    n_named: Annotated[
        int, Field(description="Old runs that stay since something that stays names them.")
    ]
    n_looks: Annotated[int, Field(description="What monitors saw.")]
    n_keys: Annotated[int, Field(description="Idempotency keys too old to be repeated.")]
    n_folders: Annotated[int, Field(description="Folders whose run is not on record any more.")]
    n_cached: Annotated[int, Field(description="Entries of the cache of outputs without files.")]
    size_bytes: Annotated[int, Field(description="Of files.")]
