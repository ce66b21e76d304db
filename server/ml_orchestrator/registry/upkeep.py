"""Keeping the journal true: settling what a crash left, entering what other clients did."""

import hashlib
from collections.abc import Callable, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ml_orchestrator.errors import ConflictError, NotFoundError, UnavailableError
from ml_orchestrator.registry.alias_table import AliasState
from ml_orchestrator.registry.journal import AliasJournal, Entry, Observed, Standing
from ml_orchestrator.registry.models import AliasMove, ModelSummary, ReconcileReport
from ml_orchestrator.registry.names import is_alias, is_model
from ml_orchestrator.registry.policies import ENVIRONMENTS
from ml_orchestrator.registry.store import ENVIRONMENT_TAG, RegistryStore
from ml_orchestrator.storage.locks import exclusive

__all__ = ["AliasUpkeep", "Truth"]

LOCK_WAIT_S = 30.0
LOCK_POLL_S = 0.002
MAX_PAGES = 1_000
# A move takes milliseconds; an intent of another host that is older belongs to a dead process.
FOREIGN_INTENT_AGE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Truth:
    """An alias whose journal and live state agree, and what was entered to get there."""

    standing: Standing
    settled: AliasMove | None
    observed: tuple[AliasMove, ...]


class AliasUpkeep:
    """Brings the journal of an alias up to date; whoever calls ``refresh`` holds its lock."""

    def __init__(
        self,
        registry: RegistryStore,
        journal: AliasJournal,
        *,
        home: Path,
        host: str,
        now: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._home = home
        self._host = host
        self._now = now

    def lock(
        self, model: str, alias: str, *, meanwhile: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[None]:
        """Hold the lock of an alias, across threads and the processes of this host.

        What ``meanwhile`` raises ends the waiting for it.
        """
        return exclusive(
            self._place(model, alias),
            doing=f"moving @{alias} of {model}",
            wait_s=LOCK_WAIT_S,
            poll_s=LOCK_POLL_S,
            meanwhile=meanwhile,
        )

    def moves_seen(self, model: str, alias: str) -> Callable[[], bool]:
        """Return a cheap look at whether a process of this host moved the alias since now."""
        mark = self._mark(model, alias)
        before = _changed_at(mark)
        return lambda: _changed_at(mark) != before

    def refresh(self, model: str, alias: str) -> Truth:
        """Settle an open intent of a dead process and enter the moves of other clients.

        Raises:
            ConflictError: a process of another host is moving the alias.
        """
        standing = self._journal.standing(model, alias)
        settled = None
        if standing.live is not None:
            settled = self._settle(standing.live, standing.event_seq)
            standing = self._journal.standing(model, alias)
        state = self._registry.alias_state(model, alias, after=standing.event_seq)
        observed = self._journal.observe(_unseen(model, alias, standing, state))
        if observed:
            versions = [v for move in observed for v in (move.from_version, move.to_version)]
            self.mirror(model, alias, *versions)
            standing = self._journal.standing(model, alias)
        return Truth(standing=standing, settled=settled, observed=observed)

    def settle_own(self, move: AliasMove, event_seq: int) -> AliasMove:
        """Close the intent of a move that was just made; the caller holds the lock."""
        state = self._registry.alias_state(move.model, move.alias, after=event_seq)
        own = next((event.seq for event in state.events if event.move_id == move.id), None)
        settled = self._journal.settle(move, "applied", event_seq=own)
        self._mark(move.model, move.alias).write_text(move.id)
        return settled

    def catch_up(self, model: str, alias: str) -> None:
        """Bring the journal up to date if anything happened since the last look."""
        standing = self._journal.standing(model, alias)
        state = self._registry.alias_state(model, alias, after=standing.event_seq)
        if standing.live is not None or state.events or state.version != standing.version:
            with self.lock(model, alias):
                self.refresh(model, alias)

    def reconcile(self, model: str | None = None) -> ReconcileReport:
        """Bring every alias, or those of one model, up to date."""
        names = self._journal.known_aliases() | self._registry.aliases_with_events()
        if model is None:
            names |= self._live_aliases()
        else:
            live = {(model, alias) for alias in _usable(self._registry.model(model))}
            names = frozenset({name for name in names if name[0] == model} | live)
        return self._reconcile({name for name in names if is_model(name[0]) and is_alias(name[1])})

    def mirror(self, model: str, alias: str, *versions: int | None) -> None:
        """Write on each version which environments it is in, for those who search by tags."""
        if alias not in ENVIRONMENTS:
            return
        for number in dict.fromkeys(version for version in versions if version is not None):
            try:
                found = self._registry.version(model, number)
            except NotFoundError:  # deleted meanwhile
                continue
            tag = ",".join(name for name in ENVIRONMENTS if name in found.aliases) or "none"
            if found.tags.get(ENVIRONMENT_TAG, "none") != tag:
                self._registry.set_version_tag(model, number, ENVIRONMENT_TAG, tag)

    def _reconcile(self, names: Set[tuple[str, str]]) -> ReconcileReport:
        settled: list[AliasMove] = []
        observed: list[AliasMove] = []
        for model, alias in sorted(names):
            with self.lock(model, alias):
                try:
                    truth = self.refresh(model, alias)
                except NotFoundError:  # the model was deleted or renamed; its history stays
                    continue
            observed += truth.observed
            settled += [truth.settled] if truth.settled else []
        return ReconcileReport(
            applied=tuple(move for move in settled if move.state == "applied"),
            abandoned=tuple(move for move in settled if move.state == "abandoned"),
            observed=tuple(observed),
        )

    def _settle(self, entry: Entry, event_seq: int) -> AliasMove:
        move = entry.move
        if self._may_be_alive(entry):
            raise ConflictError(
                f"@{move.alias} of {move.model!r} is being moved by {entry.host}; "
                "try again in a minute."
            )
        state = self._registry.alias_state(move.model, move.alias, after=event_seq)
        own = next((event for event in state.events if event.move_id == move.id), None)
        if own is not None:
            self.mirror(move.model, move.alias, move.from_version, move.to_version)
            return self._journal.settle(move, "applied", event_seq=own.seq)
        # Without a log of events, where it points is all that can be known.
        has_happened = not state.events and state.version == move.to_version
        return self._journal.settle(move, "applied" if has_happened else "abandoned")

    def _may_be_alive(self, entry: Entry) -> bool:
        """On this host the file lock that we hold proves that the mover is dead."""
        return entry.host != self._host and self._now() - entry.move.at < FOREIGN_INTENT_AGE

    def _place(self, model: str, alias: str) -> Path:
        name = hashlib.sha256(f"{model}@{alias}".encode()).hexdigest()[:32]
        return self._home / "locks" / name

    def _mark(self, model: str, alias: str) -> Path:
        return self._place(model, alias).with_suffix(".moved")

    def _live_aliases(self) -> frozenset[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            models, cursor = self._registry.models(limit=100, cursor=cursor)
            for model in filter(lambda found: is_model(found.model), models):
                found |= {(model.model, alias) for alias in _usable(model)}
            if cursor is None:
                return frozenset(found)
        raise UnavailableError(f"MLflow lists models without end; {MAX_PAGES} pages were read.")


def _unseen(model: str, alias: str, standing: Standing, state: AliasState) -> list[Observed]:
    """Return the moves that lead from where the journal ends to where the alias points.

    A gap before, between or after the events was there while nobody kept a log.
    """
    found: list[Observed] = []
    at = standing.version
    for event in state.events:
        if event.from_version != at:
            found.append(Observed(model, alias, at, event.from_version))
        found.append(
            Observed(model, alias, event.from_version, event.to_version, event.at, event.seq)
        )
        at = event.to_version
    if state.version != at:
        found.append(Observed(model, alias, at, state.version))
    return found


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _usable(model: ModelSummary) -> set[str]:
    """Return its aliases that have a name we take; other clients may have given odd ones."""
    return {alias for alias in model.aliases if is_alias(alias)}
