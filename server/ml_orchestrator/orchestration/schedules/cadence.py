"""When something is due: by a cron expression in a time zone, or every so many seconds."""

import math
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterError
from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["LEAST_EVERY_S", "MOST_EVERY_S", "Cadence"]

LEAST_EVERY_S, MOST_EVERY_S = 1.0, 31_622_400.0  # a leap year
FAR = timedelta(days=366 * 9)  # 29 February may be eight years away
_LOOSE = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)  # croniter's random fields


class Cadence(BaseModel):
    """Either ``cron`` (minute, hour, day, month, weekday) or ``every_s``; ``zone`` is an IANA name.

    A local time that the start of summer leaves out is taken at its end; one that the end of
    summer brings twice counts once, unless every hour is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: str | None = None
    every_s: float | None = None
    zone: str = "UTC"

    @model_validator(mode="after")
    def _is_usable(self) -> "Cadence":
        if (self.cron is None) == (self.every_s is None):
            raise ValueError("give cron or every_s, one of them")
        _check_zone(self.zone)
        if self.cron is not None:
            _check_cron(self.cron)
        if self.every_s is not None and not LEAST_EVERY_S <= self.every_s <= MOST_EVERY_S:
            raise ValueError(f"every_s takes {LEAST_EVERY_S:g} to {MOST_EVERY_S:,.0f} seconds")
        return self

    def following(self, after: datetime, *, since: datetime | None = None) -> datetime:
        """Return the first time due after a moment, in UTC.

        Args:
            after: with a time zone.
            since: an earlier time that was due; ``every_s`` counts from it, so as to keep step.
        """
        if self.cron is not None:
            return _following(self.cron, after.astimezone(ZoneInfo(self.zone)))
        every_s = float(self.every_s or 0)
        if since is None or since > after:
            return after.astimezone(UTC) + timedelta(seconds=every_s)
        n_steps = math.floor((after - since).total_seconds() / every_s) + 1
        return since.astimezone(UTC) + timedelta(seconds=n_steps * every_s)

    def describe(self) -> str:
        """Return it in words."""
        if self.every_s is not None:
            return f"every {self.every_s:g} s"
        return f"{self.cron} ({self.zone})"


def _following(cron: str, after: datetime) -> datetime:
    times = croniter(cron, after)
    moment: datetime = times.get_next(datetime)
    is_by_the_hour = cron.split()[1].startswith("*")
    while moment.fold and not is_by_the_hour:
        moment = times.get_next(datetime)
    return moment.astimezone(UTC)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"zone {name[:64]!r} is unknown; write an IANA name such as UTC or Europe/Berlin"
        ) from None


def _check_cron(text: str) -> None:
    advice = "write minute, hour, day, month and weekday, such as '0 3 * * mon-fri'"
    if len(text) > 128 or len(text.split()) != 5 or _LOOSE.search(text):
        raise ValueError(f"cron {text[:128]!r} cannot be used; {advice}")
    try:
        start = datetime.now(UTC)
        if croniter(text, start).get_next(datetime) - start > FAR:
            raise ValueError(f"cron {text!r} is not due within nine years")
    except CroniterError as error:
        raise ValueError(f"cron {text!r} cannot be used ({error}); {advice}") from None
