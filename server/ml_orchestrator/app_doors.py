"""Every heavy thing of one server behind a door; the composition root makes the doors.

Each door opens on first use; ``Doors.warm`` opens ahead of time what the first calls need.
"""

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.doors import Door, import_alone
from ml_orchestrator.memory.store import MemoryStore
from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.orchestration.connectors import Connector, Plan, Slot
from ml_orchestrator.orchestration.events.definition import Event
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.services.security import SHIPPED_AGENTS
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:
    from ml_orchestrator.learning.learner import Learner
    from ml_orchestrator.memory.meaning import Meaning
    from ml_orchestrator.messaging.leases import LeaseBook
    from ml_orchestrator.orchestration._dbos.client import RunClient
    from ml_orchestrator.orchestration.evaluations import Evaluator
    from ml_orchestrator.orchestration.events.thread import BusThread
    from ml_orchestrator.orchestration.experiments import Experimenter
    from ml_orchestrator.orchestration.inspection import DataInspector
    from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
    from ml_orchestrator.orchestration.policy_checks import PolicyChecker
    from ml_orchestrator.orchestration.progress import ProgressStore
    from ml_orchestrator.orchestration.prompt_improvement import PromptImprover
    from ml_orchestrator.orchestration.prompt_learning import PromptLearner
    from ml_orchestrator.orchestration.reflection import Reflection, Versions
    from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
    from ml_orchestrator.registry.approvals import Approvals
    from ml_orchestrator.registry.desk import RegistryDesk
    from ml_orchestrator.registry.keys import Keyring
    from ml_orchestrator.registry.moves import MoveRequest
    from ml_orchestrator.services.deployment import Answerer
    from ml_orchestrator.services.monitoring import Looker
    from ml_orchestrator.serving.cache import ModelCache
    from ml_orchestrator.storage.engine import Database

__all__ = ["Doors"]

T = TypeVar("T")
WARMING_SWITCH_S = 0.0002
PROBED_PROMPT = "Summarise the text below, if possible, in a few words or so, please.\n{text}"
_log = logging.getLogger(__name__)


class _Describing(Protocol):
    def describe(self) -> str: ...


class _Closing(Protocol):
    def close(self) -> None: ...


class Doors:
    """Every part of one server behind a door of its own.

    What can be swapped is in a slot, by the name of its component.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plan = Plan(settings.home)
        self.slots: dict[str, Slot[Any]] = {}
        self._open_infrastructure()
        self._open_engines()
        self.make_request: Door[type[MoveRequest]] = Door(self._make_request)
        self.answer: Door[Answerer] = Door(self._answer)
        self.look: Door[Looker] = Door(self._look, is_light=True)
        self.monitors: Door[MonitorDesk] = Door(self._monitors)
        self.prompt_versions: Door[Callable[[Settings], Versions]] = Door(self._prompt_versions)

    def _open_infrastructure(self) -> None:
        """Make the slots of stores and of what is kept in them."""
        state, home = "state-database", "data-directory"
        self.database: Slot[Database] = self._slot(
            Connector(
                state, 5, self._database, _describe, (home,), kind="store",
                distribution="sqlalchemy", close=_close, is_light=True,
            )
        )  # fmt: skip
        self.memory: Slot[MemoryStore] = self._slot(
            Connector(
                "memory", 2, self._memory, _describe, (state,), kind="store",
                takes=("memory_max_records",), is_light=True,
            )
        )  # fmt: skip
        self.mailbox: Slot[Mailbox] = self._slot(
            Connector(
                "messages", 4, self._mailbox, _describe, (state,), kind="store",
                takes=(
                    "messages_per_minute", "messages_per_minute_to_one",
                    "urgent_messages_per_minute",
                ),
                is_light=True,
            )
        )  # fmt: skip
        self.leases: Slot[LeaseBook] = self._slot(
            Connector("leases", 4, self._leases, _live_leases, (state,), is_light=True)
        )
        self.registry: Slot[RegistryDesk] = self._slot(
            Connector(
                "model-registry", 1, self._registry, _describe, (home, state), kind="store",
                distribution="mlflow",
            )
        )  # fmt: skip
        self.keyring: Slot[Keyring] = self._slot(
            Connector(
                "signing-key", 6, self._keyring, _describe, (home,), distribution="cryptography"
            )
        )
        self.approvals: Slot[Approvals] = self._slot(
            Connector("approvals", 6, self._approvals, _waiting, (state,))
        )
        self.rollouts: Slot[RolloutDesk] = self._slot(
            Connector("roll-outs", 1, self._rollouts, _is_there, (state, "model-registry"))
        )
        self.runs: Slot[RunClient] = self._slot(
            Connector(
                "workflow-runs", 5, self._runs, _describe, (home,), kind="store",
                takes=("worker_idle_s",), distribution="dbos", close=_close,
            )
        )  # fmt: skip
        self.bus: Slot[BusThread] = self._slot(
            Connector(
                "event-bus", 5, self._bus, _describe, (state,), takes=("events_keep_days",),
                close=_close, is_light=True,
            )
        )  # fmt: skip
        self.progress: Slot[ProgressStore] = self._slot(
            Connector("progress", 5, self._progress, _is_there, (state,), is_light=True)
        )

    def _open_engines(self) -> None:
        """Make the slots of what computes."""
        self.models: Slot[ModelCache] = self._slot(
            Connector("prediction", 1, self._models, _is_there, distribution="skops")
        )
        self.probe_training: Slot[Callable[[], str]] = self._slot(
            Connector(
                "training", 1, self._probe_training, _call, distribution="scikit-learn",
                capabilities=lambda _: self._names("training.trainers", "TRAINERS"),
            )
        )  # fmt: skip
        self.improve: Slot[PromptImprover] = self._slot(
            Connector(
                "prompt-rules", 2, self._improve, _improves, is_light=True,
                capabilities=lambda _: self._names("optimization.rules", "RULES"),
            )
        )  # fmt: skip
        self.reflection: Slot[Reflection] = self._slot(
            Connector("prompt-search", 2, self._reflection, _is_there, distribution="gepa")
        )
        self.learner: Slot[Learner] = self._slot(
            Connector("learning", 2, self._learner, _describe, ("state-database",))
        )
        self.prompt_learner: Slot[PromptLearner] = self._slot(
            Connector(
                "prompt-selection", 2, self._prompt_learner, _is_there, ("learning",),
                takes=("prompt_policy",),
            )
        )  # fmt: skip
        self.probe_drift_tests: Slot[Callable[[], str]] = self._slot(
            Connector(
                "drift-tests", 3, self._probe_drift_tests, _call, distribution="scipy",
                capabilities=lambda _: self._names("health.drift", "DRIFT_TESTS"),
            )
        )  # fmt: skip
        self.inspector: Slot[DataInspector] = self._slot(
            Connector(
                "data-sets", 3, self._inspector, _built_in, takes=("max_data_bytes",),
                distribution="polars", capabilities=lambda part: part.builtin_sources(),
            )
        )  # fmt: skip
        self.evaluator: Slot[Evaluator] = self._slot(
            Connector("pattern-discovery", 3, self._evaluator, _is_there)
        )
        self.experimenter: Slot[Experimenter] = self._slot(
            Connector("experiments", 3, self._experimenter, _is_there, distribution="scipy")
        )
        self.policy_checker: Slot[PolicyChecker] = self._slot(
            Connector("policy-checks", 3, self._policy_checker, _is_there, ("learning",))
        )

    def _slot(self, connector: Connector[T]) -> Slot[T]:
        needs = {name: self.slots[name] for name in connector.requires if name in self.slots}
        slot = Slot(connector, self._settings, self._plan, needs=needs)
        self.slots[connector.name] = slot
        return slot

    def _names(self, module: str, catalogue: str) -> list[str]:
        """Return the entries of ours in a catalogue; those of other packages are on their own."""
        found: Catalog[Any] = getattr(import_alone(f"ml_orchestrator.{module}"), catalogue)
        return found.ours

    def warm(self) -> None:
        """Open, lightest first, what the first calls are likely to need.

        Calls answered meanwhile must not feel it: threads that wait for the interpreter get it
        back soon, and the collector does not walk through thousands of new modules each time.
        """
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(WARMING_SWITCH_S)
        gc.disable()
        try:
            self._open_all()
        finally:
            gc.freeze()
            gc.enable()
            sys.setswitchinterval(usual_s)

    def _open_all(self) -> None:
        first = (self.memory, self.mailbox, self.bus, self.progress)
        for door in (*first, self.registry, self.runs):
            try:
                door()
            except Exception:  # noqa: BLE001 the call that needs it will say what is wrong
                _log.warning("Could not prepare %s ahead of its first use", door, exc_info=True)

    def keep_worker(self, ended: threading.Event) -> None:
        """See to it, until ``ended``, that a worker runs while a schedule is enabled."""
        from ml_orchestrator.orchestration.schedules.keeping import keep_worker

        if self._settings.mode != "read-only":
            keep_worker(self._settings, self.database, ended)

    def publish(self, event: Event, id: str | None = None) -> str:
        """Publish an event that is the whole transaction, and return its id."""
        from ml_orchestrator.orchestration.announcing import outbox_of
        from ml_orchestrator.orchestration.events._log import EventLog

        return EventLog(self.database()).publish(outbox_of("server"), event, id=id)

    def close(self) -> None:
        """Give back what was opened."""
        for slot in reversed(self.slots.values()):
            slot.close()

    def _database(self, settings: Settings) -> "Database":
        from ml_orchestrator.storage.engine import open_database

        return open_database(settings.state_url, settings.home)

    def _memory(self, settings: Settings) -> MemoryStore:
        from ml_orchestrator.memory._sql import SqlMemoryStore
        from ml_orchestrator.orchestration.announcing import announce_memory, outbox_of

        folder = settings.memory_embeddings
        return SqlMemoryStore(
            self.database(),
            changed=announce_memory(outbox_of("server")),
            max_records=settings.memory_max_records,
            meaning=None if folder is None else Door(partial(self._meaning, folder)),
        )

    def _meaning(self, folder: Path) -> "Meaning":
        from ml_orchestrator.memory._vectors import open_meaning

        return open_meaning(self.database(), folder.expanduser())

    def _mailbox(self, settings: Settings) -> Mailbox:
        from ml_orchestrator.messaging._quotas import Quotas
        from ml_orchestrator.messaging._sql import SqlMailbox
        from ml_orchestrator.orchestration.announcing import MailAnnouncer, outbox_of

        quotas = Quotas(
            per_sender=settings.messages_per_minute,
            per_pair=settings.messages_per_minute_to_one,
            urgent=settings.urgent_messages_per_minute,
        )
        news = MailAnnouncer(outbox_of("server"))
        return SqlMailbox(self.database(), shipped=SHIPPED_AGENTS, quotas=quotas, news=news)

    def _leases(self, _: Settings) -> "LeaseBook":
        from ml_orchestrator.messaging.leases import LeaseBook
        from ml_orchestrator.orchestration.announcing import announce_lease, outbox_of

        return LeaseBook(self.database(), changed=announce_lease(outbox_of("server")))

    def _bus(self, settings: Settings) -> "BusThread":
        from ml_orchestrator.orchestration.reactions import open_bus

        return open_bus(settings, self.database(), role="server")

    def _registry(self, settings: Settings) -> "RegistryDesk":
        from ml_orchestrator.orchestration.desk import open_registry

        return open_registry(settings, self.database())

    def _keyring(self, settings: Settings) -> "Keyring":
        from ml_orchestrator.orchestration.people import open_keyring

        return open_keyring(settings)

    def _approvals(self, _: Settings) -> "Approvals":
        from ml_orchestrator.orchestration.people import open_approvals

        return open_approvals(self.database())

    def _make_request(self) -> "type[MoveRequest]":
        from ml_orchestrator.registry.moves import MoveRequest

        return MoveRequest

    def _answer(self) -> "Answerer":
        from ml_orchestrator.serving.predict import predict

        return predict

    def _models(self, settings: Settings) -> "ModelCache":
        from ml_orchestrator.serving.cache import ModelCache

        return ModelCache(trusted_types(settings))

    def _rollouts(self, _: Settings) -> "RolloutDesk":
        from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk

        return RolloutDesk(self.database(), self.registry)

    def _runs(self, settings: Settings) -> "RunClient":
        from ml_orchestrator.orchestration._dbos.client import RunClient

        return RunClient(settings)

    def _progress(self, _: Settings) -> "ProgressStore":
        from ml_orchestrator.orchestration.progress import ProgressStore

        return ProgressStore(self.database())

    def _inspector(self, settings: Settings) -> "DataInspector":
        from ml_orchestrator.orchestration.inspection import DataInspector

        return DataInspector(settings)

    def _monitors(self) -> "MonitorDesk":
        from ml_orchestrator.orchestration.monitors.desk import MonitorDesk

        return MonitorDesk(self._settings, self.database())

    def _evaluator(self, settings: Settings) -> "Evaluator":
        from ml_orchestrator.orchestration.evaluations import Evaluator

        return Evaluator(settings)

    def _experimenter(self, settings: Settings) -> "Experimenter":
        from ml_orchestrator.orchestration.experiments import Experimenter

        return Experimenter(settings)

    def _look(self) -> "Looker":
        from ml_orchestrator.orchestration.processes import look_at_processes

        return look_at_processes

    def _improve(self, _: Settings) -> "PromptImprover":
        from ml_orchestrator.orchestration.prompt_improvement import improve_and_analyse

        return improve_and_analyse

    def _reflection(self, settings: Settings) -> "Reflection":
        from ml_orchestrator.orchestration.reflection import Reflection

        return Reflection(
            settings,
            lambda: self.prompt_versions()(settings),
            key=os.environ.get("ML_ORCHESTRATOR_PROMPT_KEY"),
        )

    def _prompt_versions(self) -> "Callable[[Settings], Versions]":
        from ml_orchestrator.orchestration.prompt_versions import prompt_versions

        return prompt_versions

    def _learner(self, _: Settings) -> "Learner":
        from ml_orchestrator.learning.learner import Learner

        return Learner(self.database())

    def _prompt_learner(self, settings: Settings) -> "PromptLearner":
        from ml_orchestrator.orchestration.prompt_learning import PromptLearner

        return PromptLearner(self.learner, policy=settings.prompt_policy)

    def _policy_checker(self, settings: Settings) -> "PolicyChecker":
        from ml_orchestrator.orchestration.policy_checks import PolicyChecker

        return PolicyChecker(settings, self.learner)

    def _probe_training(self, _: Settings) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_training

        return probe_training

    def _probe_drift_tests(self, _: Settings) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_drift_tests

        return probe_drift_tests


def _describe(part: _Describing) -> str:
    return part.describe()


def _close(part: _Closing) -> None:
    part.close()


def _call(probe: Callable[[], str]) -> str:
    return probe()


def _is_there(_: object) -> str:
    return "it is loaded; its calls say how they end"


def _live_leases(book: "LeaseBook") -> str:
    return f"{len(book.live().leases)} live leases"


def _waiting(approvals: "Approvals") -> str:
    return f"{len(approvals.pending())} approvals wait for a person"


def _built_in(inspector: "DataInspector") -> str:
    return f"{len(inspector.builtin_sources())} built-in data sets"


def _improves(improve: "PromptImprover") -> str:
    improved = improve(PROBED_PROMPT)
    if not improved.applied:
        raise ArithmeticError("no rule finds what is wrong with a prompt that is wrong")
    return f"{len(improved.applied)} rules apply to a prompt that needs them"
