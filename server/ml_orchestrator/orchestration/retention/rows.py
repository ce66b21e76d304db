"""Old rows of the state database that belong to no run: looks of monitors, idempotency keys."""

from collections.abc import Iterator
from datetime import UTC, datetime

from ml_orchestrator.health.monitors.looks import forget_these_looks, old_looks
from ml_orchestrator.orchestration.retention.rules import DAY_S, KeepRules
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.idempotency import forget_keys, n_old_keys, old_keys

__all__ = ["AT_ONCE", "OldRows"]

KEYS_S = 30 * DAY_S  # and as long as runs, whose steps may be done again
AT_ONCE = 500


class OldRows:
    """Removes rows in small steps; a trial only counts them."""

    def __init__(
        self, database: Database, rules: KeepRules, *, now_s: float, is_trial: bool
    ) -> None:
        self._database = database
        self._rules = rules
        self._now_s = now_s
        self._is_trial = is_trial

    def steps(self) -> Iterator[tuple[str, int]]:
        """Do one step after the other; each gives the name of its count, and how many went."""
        for name, remove in (("n_looks", self._remove_looks), ("n_keys", self._remove_keys)):
            n_removed = AT_ONCE
            while n_removed == AT_ONCE:
                n_removed = remove()
                yield name, n_removed
                if self._is_trial:
                    break

    def _remove_looks(self) -> int:
        limit, keep = self._before(self._rules.by_itself_s), self._rules.least
        at_most = None if self._is_trial else AT_ONCE
        found = self._database.read(lambda c: old_looks(c, limit, keep=keep, at_most=at_most))
        if found and not self._is_trial:
            self._database.write(lambda c: forget_these_looks(c, found))
        return len(found)

    def _remove_keys(self) -> int:
        limit = self._before(max(KEYS_S, self._rules.runs_s))
        if self._is_trial:
            return self._database.read(lambda c: n_old_keys(c, limit))
        found = self._database.read(lambda c: old_keys(c, limit, at_most=AT_ONCE))
        if found:
            self._database.write(lambda c: forget_keys(c, found))
        return len(found)

    def _before(self, age_s: float) -> str:
        return timestamp(datetime.fromtimestamp(self._now_s - age_s, UTC))
