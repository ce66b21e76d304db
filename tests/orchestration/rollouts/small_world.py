"""A model server, a registry and a clock in one file each test can read and each kill survives.

The server meets ``ServingControl`` and the registry as much of ``RegistryStore`` as a move asks
for; the mover, the journals, the mailbox and the plan are the real ones.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    UnavailableError,
)
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.rollouts.aliases import RegistryAliases
from ml_orchestrator.orchestration.rollouts.approving import RolloutApprovals
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.runner import RolloutRunner
from ml_orchestrator.orchestration.rollouts.telling import CONCERNED, MailTeller
from ml_orchestrator.orchestration.rollouts.watching import Watch
from ml_orchestrator.registry.alias_table import AliasState
from ml_orchestrator.registry.aliases import ALIAS_RULES
from ml_orchestrator.registry.approvals import Approvals
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.journal import AliasJournal
from ml_orchestrator.registry.models import ModelVersion, VerifyReport
from ml_orchestrator.registry.moves import AliasMover
from ml_orchestrator.registry.policies import PolicyBook
from ml_orchestrator.registry.upkeep import AliasUpkeep
from ml_orchestrator.serving.control import LoadedSlot, ServingState, SlotStats, Traffic
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.serving.rollout.models import RolloutPlan, RolloutSpec
from ml_orchestrator.serving.rollout.outcomes import SqlOutcomes
from ml_orchestrator.storage.engine import open_database

MODEL, ALIAS, OLD, NEW = "visits", "stable", 1, 2
ACTOR = "release-engineer"
GOOD: dict[str, Any] = {"n": 500, "error_rate": 0.0, "ms": 5.0, "shift": 0}
MOST_EFFECTS = 50
START = 1_800_000_000.0


class World:
    """The file. Every change is whole, also when its process is killed in the middle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, **given: Any) -> None:
        """Write a world in which version 1 answers and carries the alias."""
        content: dict[str, Any] = {
            "now": START,
            "generation": 1,
            "blue": OLD,
            "green": None,
            "traffic": Traffic().model_dump(),
            "alias": OLD,
            "answers": True,
            "dies_at_load": [],
            "damaged": [],
            "versions": {},
            "effects": [],
        }
        self._write({**content, **given})

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    @contextmanager
    def change(self, effect: str | None = None) -> Iterator[dict[str, Any]]:
        content = self.read()
        yield content
        if effect is not None:
            content["effects"].append(effect)
            assert len(content["effects"]) < MOST_EFFECTS, content["effects"]
        self._write(content)

    def now(self) -> float:
        return float(self.read()["now"])

    def wait(self, seconds: float) -> None:
        with self.change() as content:
            content["now"] += max(seconds, 0.001)

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def _write(self, content: Mapping[str, Any]) -> None:
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(self.path)


class SmallServing:
    """A ``ServingControl`` over the world's file."""

    def __init__(self, world: World) -> None:
        self._world = world

    def state(self) -> ServingState:
        found = self._answering()
        return ServingState(
            model=MODEL,
            generation=found["generation"],
            blue=found["blue"],
            green=found["green"],
            traffic=Traffic.model_validate(found["traffic"]),
        )

    def load_green(self, version: int) -> LoadedSlot:
        found = self._answering()
        if version in found["dies_at_load"]:
            raise IntegrityViolationError(f"Version {version} died while it was loaded.")
        if found["green"] != version:
            with self._world.change(f"load {version}") as content:
                content["green"] = version
                content["generation"] += 1
        generation = self.state().generation
        return LoadedSlot(version=version, load_ms=1, warm_ms=1, generation=generation)

    def set_traffic(self, traffic: Traffic, *, expected_generation: int) -> ServingState:
        if self.state().traffic != traffic:
            self._expect(expected_generation)
            if traffic.mode != "single" and self._answering()["green"] is None:
                raise InvalidInputError("No green version is loaded.")
            with self._world.change(f"{traffic.mode} {traffic.green_share:g}") as content:
                content["traffic"] = traffic.model_dump()
                content["generation"] += 1
        return self.state()

    def swap(self, *, expected_generation: int) -> ServingState:
        self._expect(expected_generation)
        if self._answering()["green"] is None:
            raise InvalidInputError("No green version is loaded.")
        blue, green = self._answering()["green"], self._answering()["blue"]
        with self._world.change(f"swap to {blue}") as content:
            content.update(blue=blue, green=green, traffic=Traffic().model_dump())
            content["generation"] += 1
        return self.state()

    def unload_green(self, *, expected_generation: int) -> ServingState:
        if (green := self._answering()["green"]) is not None:
            self._expect(expected_generation)
            with self._world.change(f"unload {green}") as content:
                content.update(green=None, traffic=Traffic().model_dump())
                content["generation"] += 1
        return self.state()

    def retire(self, *, expected_generation: int) -> ServingState:
        if (blue := self._answering()["blue"]) is not None:
            self._expect(expected_generation)
            with self._world.change(f"retire {blue}") as content:
                content.update(blue=None, traffic=Traffic().model_dump())
                content["generation"] += 1
        return self.state()

    def stats(self, *, window_s: float) -> tuple[SlotStats, ...]:
        found = self._answering()
        loaded = [version for version in (found["blue"], found["green"]) if version is not None]
        return tuple(self._stats(version, window_s) for version in loaded)

    def _stats(self, version: int, window_s: float) -> SlotStats:
        found = self._answering()
        is_asked = version == found["blue"] or found["traffic"]["mode"] != "single"
        like = {**GOOD, **found["versions"].get(str(version), {})}
        n = like["n"] if is_asked else 0
        predictions = ["yes", "no", "no", "no"] * 50 if not like["shift"] else ["yes"] * 200
        return SlotStats(
            version=version,
            window_s=window_s,
            n_requests=n,
            n_errors=round(n * like["error_rate"]),
            p50_ms=like["ms"] if n else None,
            p95_ms=like["ms"] * 2 if n else None,
            p99_ms=like["ms"] * 3 if n else None,
            predictions=tuple(predictions[:n]),
            fault=like.get("fault"),
        )

    def _answering(self) -> dict[str, Any]:
        found = self._world.read()
        if not found["answers"]:
            raise UnavailableError("The model server does not answer.")
        return found

    def _expect(self, generation: int) -> None:
        if (found := self.state().generation) != generation:
            raise ConflictError(f"The generation is {found}, not {generation}.")


class SmallRegistry:
    """What the mover asks of a ``RegistryStore``, over the world's file."""

    def __init__(self, world: World) -> None:
        self._world = world

    def version(self, model: str, version: int) -> ModelVersion:
        return ModelVersion(
            model=model,
            version=version,
            run_id=f"run-{version}",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            aliases=(),
            tags={},
            metrics={},
            status="READY",
            manifest_digest="0" * 64,
        )

    def alias_version(self, model: str, alias: str) -> int | None:
        found: int | None = self._world.read()["alias"]
        return found

    def alias_state(self, model: str, alias: str, *, after: int) -> AliasState:
        return AliasState(self.alias_version(model, alias))

    def move_alias(
        self,
        model: str,
        alias: str,
        *,
        from_version: int | None,
        to_version: int | None,
        move_id: str,
    ) -> bool:
        if self.alias_version(model, alias) != from_version:
            return False
        with self._world.change(f"alias {to_version}") as content:
            content["alias"] = to_version
        return True


class SmallVault:
    """Finds every version intact but those that the world calls damaged."""

    def __init__(self, world: World) -> None:
        self._world = world

    def verify(self, model: str, version: int) -> VerifyReport:
        ok = version not in self._world.read()["damaged"]
        check = {"name": "no_changed_files", "ok": ok, "detail": "changed: model.skops"}
        return VerifyReport.model_validate(
            {"model": model, "version": version, "ok": ok, "checks": (check,),
             "manifest_digest": "0" * 64, "n_files": 1, "size_bytes": 1}
        )  # fmt: skip


class Bench:
    """Everything one roll-out needs, opened on a directory."""

    def __init__(self, home: Path, *, wrap: Callable[[str, Any], Any] = lambda _, x: x) -> None:
        self.world = World(home / "world.json")
        self.database = open_database(f"sqlite:///{home / 'state.db'}", home)
        store, now = SmallRegistry(self.world), self.world.clock
        self.alias_journal = AliasJournal(
            self.database, host="here", new_id=lambda: uuid.uuid4().hex, now=now
        )
        vault, registry = SmallVault(self.world), wrap("registry", store)
        self.approvals = Approvals(self.database, new_id=lambda: uuid.uuid4().hex, now=now)
        policies = PolicyBook(home, known_gates=ALIAS_RULES)
        upkeep = AliasUpkeep(registry, self.alias_journal, home=home, host="here", now=now)
        self.mover = AliasMover(
            registry, self.alias_journal, verify=vault.verify, policies=policies,
            approvals=self.approvals, upkeep=upkeep, now=now,
        )  # fmt: skip
        desk = RegistryDesk(
            store=store, vault=vault, mover=self.mover, policies=policies,  # type: ignore[arg-type]
            approvals=self.approvals,
        )  # fmt: skip
        self.desk = RolloutDesk(self.database, lambda: desk)
        self.mailbox = SqlMailbox(self.database, shipped=(*CONCERNED, ACTOR))
        self.journal = RolloutJournal(
            self.database, new_id=lambda: f"rollout-{uuid.uuid4().hex[:8]}", now=now
        )
        self.outcomes = SqlOutcomes(self.database, now=now)
        self.serving = SmallServing(self.world)
        self.runner = RolloutRunner(
            wrap("journal", self.journal),
            Watch(self.outcomes, now=self.world.now),
            open_serving=lambda _: wrap("serving", self.serving),
            aliases=RegistryAliases(desk),
            teller=wrap("teller", MailTeller(self.mailbox)),
            approvals=RolloutApprovals(desk),
            now=self.world.now,
            wait=self._wait,
        )
        self.on_wait: Callable[[], object] = lambda: None

    def _wait(self, seconds: float) -> None:
        self.world.wait(seconds)
        self.on_wait()

    def begin(self, *, from_version: int | None = OLD, **spec: Any) -> str:
        """Record a roll-out of version 2 as pending."""
        plan = RolloutPlan(
            model=MODEL,
            alias=ALIAS,
            from_version=from_version,
            to_version=NEW,
            spec=RolloutSpec.model_validate(spec),
            phases=(),
            obstacles=(),
            digest="0" * 64,
        )
        return self.journal.begin(plan, actor=ACTOR, reason="a test", key=None)

    def run(self, rollout_id: str) -> Rollout:
        return self.runner.run(rollout_id)

    def effects(self) -> Sequence[str]:
        found: list[str] = self.world.read()["effects"]
        return found

    def states(self, rollout_id: str) -> list[str]:
        """Return what the history says of states, each by its first word."""
        events = self.journal.events(rollout_id)
        return [e.detail.split(":")[0].split(";")[0] for e in events if e.kind == "state"]

    def close(self) -> None:
        self.database.close()


def open_bench(home: Path, **given: Any) -> Bench:
    """Return a bench in a fresh world."""
    home.mkdir(parents=True, exist_ok=True)
    World(home / "world.json").make(**given)
    return Bench(home)
