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
from typing import TYPE_CHECKING

from ml_orchestrator.doors import Door
from ml_orchestrator.memory.store import MemoryStore
from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.services.security import SHIPPED_AGENTS
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

if TYPE_CHECKING:
    from ml_orchestrator.learning.learner import Learner
    from ml_orchestrator.memory.meaning import Meaning
    from ml_orchestrator.messaging.leases import LeaseBook
    from ml_orchestrator.orchestration._dbos.client import RunClient
    from ml_orchestrator.orchestration.evaluations import Evaluator
    from ml_orchestrator.orchestration.experiments import Experimenter
    from ml_orchestrator.orchestration.inspection import DataInspector
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

WARMING_SWITCH_S = 0.0002
_log = logging.getLogger(__name__)


class Doors:
    """Every heavy thing of one server, each behind a door of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.database: Door[Database] = Door(self._database, is_light=True)
        self.memory: Door[MemoryStore] = Door(self._memory, is_light=True)
        self.mailbox: Door[Mailbox] = Door(self._mailbox, is_light=True)
        self.leases: Door[LeaseBook] = Door(self._leases, is_light=True)
        self.registry: Door[RegistryDesk] = Door(self._registry)
        self.keyring: Door[Keyring] = Door(self._keyring)
        self.approvals: Door[Approvals] = Door(self._approvals)
        self.make_request: Door[type[MoveRequest]] = Door(self._make_request)
        self.answer: Door[Answerer] = Door(self._answer)
        self.rollouts: Door[RolloutDesk] = Door(self._rollouts)
        self.models: Door[ModelCache] = Door(self._models)
        self.runs: Door[RunClient] = Door(self._runs)
        self.progress: Door[ProgressStore] = Door(self._progress, is_light=True)
        self.inspector: Door[DataInspector] = Door(self._inspector)
        self.evaluator: Door[Evaluator] = Door(self._evaluator)
        self.experimenter: Door[Experimenter] = Door(self._experimenter)
        self.look: Door[Looker] = Door(self._look, is_light=True)
        self.improve: Door[PromptImprover] = Door(self._improve, is_light=True)
        self.reflection: Door[Reflection] = Door(self._reflection)
        self.prompt_versions: Door[Callable[[Settings], Versions]] = Door(self._prompt_versions)
        self.learner: Door[Learner] = Door(self._learner)
        self.prompt_learner: Door[PromptLearner] = Door(self._prompt_learner)
        self.policy_checker: Door[PolicyChecker] = Door(self._policy_checker)
        self.probe_training: Door[Callable[[], str]] = Door(self._probe_training)
        self.probe_drift_tests: Door[Callable[[], str]] = Door(self._probe_drift_tests)

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
        for door in (self.memory, self.mailbox, self.progress, self.registry, self.runs):
            try:
                door()
            except Exception:  # noqa: BLE001 the call that needs it will say what is wrong
                _log.warning("Could not prepare %s ahead of its first use", door, exc_info=True)

    def keep_worker(self, ended: threading.Event) -> None:
        """See to it, until ``ended``, that a worker runs while a schedule is enabled."""
        from ml_orchestrator.orchestration.schedules.keeping import keep_worker

        if self._settings.mode != "read-only":
            keep_worker(self._settings, self.database, ended)

    def close(self) -> None:
        """Give back what was opened."""
        if self.runs.is_open:
            self.runs().close()
        if self.database.is_open:
            self.database().close()

    def _database(self) -> "Database":
        from ml_orchestrator.storage.engine import open_database

        return open_database(self._settings.state_url, self._settings.home)

    def _memory(self) -> MemoryStore:
        from ml_orchestrator.memory._sql import SqlMemoryStore

        folder = self._settings.memory_embeddings
        return SqlMemoryStore(
            self.database(),
            max_records=self._settings.memory_max_records,
            meaning=None if folder is None else Door(partial(self._meaning, folder)),
        )

    def _meaning(self, folder: Path) -> "Meaning":
        from ml_orchestrator.memory._vectors import open_meaning

        return open_meaning(self.database(), folder.expanduser())

    def _mailbox(self) -> Mailbox:
        from ml_orchestrator.messaging._quotas import Quotas
        from ml_orchestrator.messaging._sql import SqlMailbox

        quotas = Quotas(
            per_sender=self._settings.messages_per_minute,
            per_pair=self._settings.messages_per_minute_to_one,
            urgent=self._settings.urgent_messages_per_minute,
        )
        return SqlMailbox(self.database(), shipped=SHIPPED_AGENTS, quotas=quotas)

    def _leases(self) -> "LeaseBook":
        from ml_orchestrator.messaging.leases import LeaseBook

        return LeaseBook(self.database())

    def _registry(self) -> "RegistryDesk":
        from ml_orchestrator.orchestration.desk import open_registry

        return open_registry(self._settings, self.database())

    def _keyring(self) -> "Keyring":
        from ml_orchestrator.orchestration.people import open_keyring

        return open_keyring(self._settings)

    def _approvals(self) -> "Approvals":
        from ml_orchestrator.orchestration.people import open_approvals

        return open_approvals(self.database())

    def _make_request(self) -> "type[MoveRequest]":
        from ml_orchestrator.registry.moves import MoveRequest

        return MoveRequest

    def _answer(self) -> "Answerer":
        from ml_orchestrator.serving.predict import predict

        return predict

    def _models(self) -> "ModelCache":
        from ml_orchestrator.serving.cache import ModelCache

        return ModelCache(EXTRA_TRUSTED_TYPES)

    def _rollouts(self) -> "RolloutDesk":
        from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk

        return RolloutDesk(self.database(), self.registry)

    def _runs(self) -> "RunClient":
        from ml_orchestrator.orchestration._dbos.client import RunClient

        return RunClient(self._settings)

    def _progress(self) -> "ProgressStore":
        from ml_orchestrator.orchestration.progress import ProgressStore

        return ProgressStore(self.database())

    def _inspector(self) -> "DataInspector":
        from ml_orchestrator.orchestration.inspection import DataInspector

        return DataInspector(self._settings)

    def _evaluator(self) -> "Evaluator":
        from ml_orchestrator.orchestration.evaluations import Evaluator

        return Evaluator(self._settings)

    def _experimenter(self) -> "Experimenter":
        from ml_orchestrator.orchestration.experiments import Experimenter

        return Experimenter(self._settings)

    def _look(self) -> "Looker":
        from ml_orchestrator.orchestration.processes import look_at_processes

        return look_at_processes

    def _improve(self) -> "PromptImprover":
        from ml_orchestrator.orchestration.prompt_improvement import improve_and_analyse

        return improve_and_analyse

    def _reflection(self) -> "Reflection":
        from ml_orchestrator.orchestration.reflection import Reflection

        return Reflection(
            self._settings,
            lambda: self.prompt_versions()(self._settings),
            key=os.environ.get("ML_ORCHESTRATOR_PROMPT_KEY"),
        )

    def _prompt_versions(self) -> "Callable[[Settings], Versions]":
        from ml_orchestrator.orchestration.prompt_versions import prompt_versions

        return prompt_versions

    def _learner(self) -> "Learner":
        from ml_orchestrator.learning.learner import Learner

        return Learner(self.database())

    def _prompt_learner(self) -> "PromptLearner":
        from ml_orchestrator.orchestration.prompt_learning import PromptLearner

        return PromptLearner(self.learner, policy=self._settings.prompt_policy)

    def _policy_checker(self) -> "PolicyChecker":
        from ml_orchestrator.orchestration.policy_checks import PolicyChecker

        return PolicyChecker(self._settings, self.learner)

    def _probe_training(self) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_training

        return probe_training

    def _probe_drift_tests(self) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_drift_tests

        return probe_drift_tests
