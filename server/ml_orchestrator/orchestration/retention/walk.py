"""One pass over what is over: in small steps, from the newest run to the oldest."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from ml_orchestrator.orchestration._dbos.history import History, PastRun
from ml_orchestrator.orchestration.attempts import first_of
from ml_orchestrator.orchestration.pipelines.cache import StepCache
from ml_orchestrator.orchestration.progress import ProgressStore
from ml_orchestrator.orchestration.retention import folders
from ml_orchestrator.orchestration.retention.evidence import may_have_registered
from ml_orchestrator.orchestration.retention.folders import GivenUp
from ml_orchestrator.orchestration.retention.naming import Naming
from ml_orchestrator.orchestration.retention.owning import Owned, may_have_runs_elsewhere
from ml_orchestrator.orchestration.retention.rows import OldRows
from ml_orchestrator.orchestration.retention.rules import KeepRules, Pruned
from ml_orchestrator.orchestration.sharing.homes import forget_homes
from ml_orchestrator.orchestration.sharing.pools import is_shared
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.training.shelf import forget_studies

__all__ = ["Pass"]

PAGE = 100  # runs read at once


class Pass:
    """Removes what is older than the rules keep; a trial only counts it.

    A step removes at most one run. It holds the folders of runs, and so keeps a resuming person
    waiting, for some hundredths of a second. Runs that begin after the pass has are not looked at.
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
        self._owned = Owned(settings, database)
        self._naming = Naming(settings, database, history)
        self._takers: Mapping[str, set[str]] = {}
        self._looked_at: set[str] = set()
        self._held: list[str] = []  # by the outputs of others
        self._gone: set[str] = set()  # their files, or in a trial what would go
        self._removed: set[str] = set()  # with their rows
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
            for given_up in folders.all_given_up(self._home):
                yield self._finish_removal(given_up)
        rows = OldRows(self._database, self._rules, now_s=self._now_s, is_trial=self._is_trial)
        for name, n_removed in rows.steps():
            self._counted[name] += n_removed
            if n_removed:
                yield True
        self._takers = self._history.takers()
        yield True
        passed, until_ms = 0, int(self._now_s * 1000)
        while runs := self._history.page(until_ms=until_ms, passed=passed, size=PAGE):
            due = [first_of(run.run_id) for run in self._owned.among(runs) if self._may_go(run)]
            for first in dict.fromkeys(due):
                yield self._remove_old(first)
            passed += sum(first_of(run.run_id) not in self._removed for run in runs)
            yield True
        for first in self._held:  # who took something from it may have gone since
            self._looked_at.discard(first)
            yield self._remove_old(first, is_last_look=True)
        for name in self._orphans():
            yield self._remove_orphan(name)
        yield self._clear_cache()

    def _finish_removal(self, given_up: GivenUp) -> bool:
        """Do what is left of a removal that a crash cut short."""
        with folders.held(self._home):
            attempts = self._history.attempts([given_up.run_id]).get(given_up.run_id, [])
            if self._owned.among(attempts) == attempts and not self._end_records(
                given_up, attempts
            ):
                return True
        folders.remove_files(given_up)
        return True

    def _end_records(self, given_up: GivenUp, attempts: Sequence[PastRun]) -> bool:
        """Remove what is on record of a run; False if it goes on and has its folder again."""
        if all(run.is_over and run.ended_ms <= given_up.at_ms for run in attempts):
            is_evidence = self._is_evidence(attempts)
            if self._remove_records(given_up.run_id, attempts, is_evidence=is_evidence):
                return True
        is_the_same = any(run.created_ms <= given_up.at_ms for run in attempts)
        return not (is_the_same and folders.take_back(self._home, given_up))

    def _remove_old(self, first: str, *, is_last_look: bool = False) -> bool:
        """Remove a run, if it is due with all its attempts and nothing holds it."""
        if first in self._looked_at:
            return True
        self._looked_at.add(first)
        with folders.held(self._home):
            attempts = self._history.attempts([first]).get(first, [])
            if not attempts or not all(map(self._is_old, attempts)):
                return True
            if self._is_held(first) and not is_last_look:
                self._held.append(first)
                return True
            if self._is_held(first) or self._naming.has(first):
                self._counted["n_named"] += 1
                return True
            given_up = self._give_up(first, attempts)
        if given_up is not None:
            folders.remove_files(given_up)
        return True

    def _is_held(self, first: str) -> bool:
        """Whether the outputs of a run that stays name this one, as taken from the cache."""
        return bool(self._takers.get(first, set()) - self._gone)

    def _may_go(self, run: PastRun) -> bool:
        """Whether a run is old, and not among the newest of its workflow; each run counts once."""
        first = first_of(run.run_id)
        if first not in self._kept:
            self._counted[f"of {run.workflow}"] += 1
            self._kept[first] = self._counted[f"of {run.workflow}"] <= self._rules.least
        return not self._kept[first] and self._is_old(run)

    def _is_old(self, run: PastRun) -> bool:
        first = first_of(run.run_id)
        kept_s = self._rules.kept_s(is_by_itself=run.is_by_itself and first not in self._takers)
        used_s = folders.used_at(self._home, first) or 0.0
        return run.is_over and max(run.ended_ms / 1000, used_s) < self._now_s - kept_s

    def _is_evidence(self, attempts: Sequence[PastRun]) -> bool:
        """Whether the rows of a run stay, since a version may name it."""
        return any(
            may_have_registered(
                run.plan, self._history.recorded(run), has_succeeded=run.has_succeeded
            )
            for run in attempts
        )

    def _give_up(self, first: str, attempts: Sequence[PastRun]) -> GivenUp | None:
        """Rename the folder, which decides it, then remove the records; return what has files."""
        place, is_evidence = self._home / "runs" / first, self._is_evidence(attempts)
        if is_evidence and not place.is_dir():
            self._gone.add(first)  # its files went before
            return None
        size = folders.size_of(place)
        given_up = None
        if not self._is_trial:
            given_up = folders.give_up(self._home, first, at_ms=int(self._now_s * 1000))
            if not self._remove_records(first, attempts, is_evidence=is_evidence):
                if given_up is not None:
                    folders.take_back(self._home, given_up)
                return None
        self._gone.add(first)
        name = "n_by_itself" if attempts and attempts[0].is_by_itself else "n_runs"
        self._counted["n_reduced" if is_evidence else name if attempts else "n_folders"] += 1
        self._counted["size_bytes"] += size
        return given_up

    def _remove_records(
        self, first: str, attempts: Sequence[PastRun], *, is_evidence: bool
    ) -> bool:
        """Remove what is on record of a run; False if it has changed since it was read."""
        if attempts and not is_evidence:
            if not self._history.remove(attempts):
                return False
            self._removed.add(first)
        ProgressStore(self._database).forget([first])
        if not is_evidence:
            forget_homes(self._database, [first])
        if is_shared(self._settings):
            forget_studies(self._database, [first])
        return True

    def _orphans(self) -> Iterator[str]:
        """Return old folders that are not known to be of a run on record.

        None where runs may be on record in a database that is not in use now.
        """
        if may_have_runs_elsewhere(self._settings):
            return
        for name in folders.names(self._home):
            if name not in self._gone and self._is_unused(name):
                yield name

    def _is_unused(self, name: str) -> bool:
        used_s = folders.used_at(self._home, name)
        return used_s is not None and used_s < self._now_s - self._rules.runs_s

    def _remove_orphan(self, name: str) -> bool:
        """Remove an old folder of a run that is not on record, as another machine left it."""
        with folders.held(self._home):
            if self._history.attempts([name]) or not self._is_unused(name):
                return True
            if self._is_held(name) or self._naming.has(name):
                self._counted["n_named"] += 1
                return True
            given_up = self._give_up(name, ())
        if given_up is not None:
            folders.remove_files(given_up)
        return True

    def _clear_cache(self) -> bool:
        cache = StepCache(self._home)
        dead = cache.dead(self._gone)
        self._counted["n_cached"] += len(dead)
        for path in () if self._is_trial else dead:
            path.unlink(missing_ok=True)
        return True
