"""One pass over what is over: in small steps, from the newest run to the oldest."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ml_orchestrator.health.monitors.looks import forget_these_looks, old_looks
from ml_orchestrator.orchestration._dbos.history import History, PastRun
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.moments import time_of
from ml_orchestrator.orchestration.pipelines.cache import StepCache
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.retention import folders
from ml_orchestrator.orchestration.retention.folders import GivenUp
from ml_orchestrator.orchestration.retention.naming import named_among
from ml_orchestrator.orchestration.retention.rules import KeepRules, Pruned
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, timestamp

__all__ = ["Pass"]

PAGE = 100  # runs in one step
LOOKS_AT_ONCE = 500
Attempts = Mapping[str, Sequence[PastRun]]


class Pass:
    """Removes what is older than the rules keep; a trial only counts it.

    Each step holds the folders of runs, and so keeps a resuming person waiting, for some
    hundredths of a second. Runs that begin after the pass has are not looked at.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        history: History,
        rules: KeepRules,
        *,
        is_trial: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._home = settings.home
        self._database = database
        self._history = history
        self._rules = rules
        self._is_trial = is_trial
        self._now_s = clock()
        self._counted: Counter[str] = Counter()
        self._kept: dict[str, bool] = {}  # by first attempt: whether it is among the newest
        self._looked_at: set[str] = set()
        self._gone: set[str] = set()
        self._steps = self._all_steps()

    def step(self) -> bool:
        """Do the next small part; False once there is none."""
        return next(self._steps, None) is not None

    def run(self) -> Pruned:
        """Do all of it and return what was removed."""
        while self.step():
            pass
        return self.pruned

    @property
    def pruned(self) -> Pruned:
        """What was removed so far."""
        counts = {name: self._counted[name] for name in Pruned.model_fields if name != "is_dry_run"}
        return Pruned(is_dry_run=self._is_trial, **counts)

    def _all_steps(self) -> Iterator[bool]:
        if not self._is_trial:
            yield self._finish_removals()
        while self._remove_looks():
            yield True
        passed, until = 0, time_of(int(self._now_s * 1000))
        while runs := self._history.page(until=until, passed=passed, size=PAGE):
            passed += len(runs) - self._remove_old(runs)
            yield True
        yield self._remove_orphans()
        yield self._clear_cache()

    def _finish_removals(self) -> bool:
        """Do what is left of removals that a crash cut short."""
        for given_up in folders.all_given_up(self._home):
            with folders.held(self._home):
                attempts = self._history.attempts([given_up.run_id]).get(given_up.run_id, [])
                if all(run.is_over and run.ended_ms <= given_up.at_ms for run in attempts):
                    going = {given_up.run_id: attempts}
                    self._remove_records(going, self._evidence(going))
            folders.remove_files(given_up)
        return True

    def _remove_looks(self) -> bool:
        """Remove some looks of monitors; whether there may be more."""
        limit = timestamp(datetime.fromtimestamp(self._now_s - self._rules.by_itself_s, UTC))
        keep, at_most = self._rules.least, None if self._is_trial else LOOKS_AT_ONCE
        found = self._database.read(lambda c: old_looks(c, limit, keep=keep, at_most=at_most))
        self._counted["n_looks"] += len(found)
        if found and not self._is_trial:
            self._database.write(lambda c: forget_these_looks(c, found))
        return len(found) == at_most

    def _remove_old(self, runs: Sequence[PastRun]) -> int:
        """Remove those of a page that are due, and return how many of its rows are gone."""
        due = {first_of(run.run_id) for run in runs if self._may_go(run)} - self._looked_at
        if not due:
            return 0
        with folders.held(self._home):
            found = self._all_old(self._history.attempts(due))
            self._looked_at |= set(found)
            going = self._without_named(found)
            evidence = self._evidence(going)
            for first in evidence:
                if not (self._home / "runs" / first).is_dir():
                    del going[first]  # its files went before
            self._count(going, evidence)
            given_up = self._give_up(going, evidence)
        for each in given_up:
            folders.remove_files(each)
        if self._is_trial:
            return 0
        return sum((f := first_of(run.run_id)) in going and f not in evidence for run in runs)

    def _without_named(self, found: Attempts) -> dict[str, Sequence[PastRun]]:
        named = named_among(
            found, settings=self._settings, database=self._database, history=self._history
        )
        self._counted["n_named"] += len(named)
        return {first: attempts for first, attempts in found.items() if first not in named}

    def _may_go(self, run: PastRun) -> bool:
        """Whether a run is old, and not among the newest of its workflow; each run counts once."""
        first = first_of(run.run_id)
        if first not in self._kept:
            self._counted[f"of {run.workflow}"] += 1
            self._kept[first] = self._counted[f"of {run.workflow}"] <= self._rules.least
        return not self._kept[first] and self._is_old(run)

    def _is_old(self, run: PastRun) -> bool:
        kept_s = self._rules.kept_s(is_by_itself=run.is_by_itself)
        used_s = folders.used_at(self._home, first_of(run.run_id)) or 0.0
        return run.is_over and max(run.ended_ms / 1000, used_s) < self._now_s - kept_s

    def _all_old(self, found: Attempts) -> dict[str, Sequence[PastRun]]:
        return {
            first: attempts
            for first, attempts in found.items()
            if all(self._is_old(run) for run in attempts)
        }

    def _evidence(self, found: Attempts) -> set[str]:
        """Return the runs whose rows stay, since a version names them."""
        return {f for f, attempts in found.items() if any(map(self._has_registered, attempts))}

    def _has_registered(self, run: PastRun) -> bool:
        return self._history.has_registered(run)

    def _count(self, going: Attempts, evidence: Collection[str]) -> None:
        for first, attempts in going.items():
            name = "n_by_itself" if attempts[0].is_by_itself else "n_runs"
            self._counted["n_reduced" if first in evidence else name] += 1
            self._counted["size_bytes"] += folders.size_of(self._home / "runs" / first)

    def _give_up(self, going: Attempts, evidence: Collection[str]) -> list[GivenUp]:
        """Rename the folders, which decides it, then remove the records."""
        self._gone |= set(going)
        if self._is_trial:
            return []
        at_ms = int(self._now_s * 1000)
        renamed = [folders.give_up(self._home, first, at_ms=at_ms) for first in going]
        self._remove_records(going, evidence)
        return [each for each in renamed if each is not None]

    def _remove_records(self, going: Attempts, evidence: Collection[str]) -> None:
        ProgressStore(self._database).forget(list(going))
        rows = [attempts for first, attempts in going.items() if first not in evidence]
        self._history.remove([run.run_id for attempts in rows for run in attempts])

    def _remove_orphans(self) -> bool:
        """Remove old folders of runs that are not on record, as another machine left them."""
        limit = self._now_s - self._rules.runs_s
        old = [path.name for path in _folders(self._home / "runs") if path.stat().st_mtime < limit]
        for start in range(0, len(old), PAGE):
            self._remove_unknown(set(old[start : start + PAGE]) - self._gone)
        return True

    def _remove_unknown(self, names: set[str]) -> None:
        with folders.held(self._home):
            known = self._history.attempts(names)
            orphans: dict[str, Sequence[PastRun]] = {name: () for name in names - set(known)}
            self._counted["n_folders"] += len(orphans)
            for name in orphans:
                self._counted["size_bytes"] += folders.size_of(self._home / "runs" / name)
            given_up = self._give_up(orphans, ())
        for each in given_up:
            folders.remove_files(each)

    def _clear_cache(self) -> bool:
        cache = StepCache(self._home)
        dead = cache.dead(self._gone)
        self._counted["n_cached"] += len(dead)
        for path in () if self._is_trial else dead:
            path.unlink(missing_ok=True)
        return True


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.is_dir() else []
