"""What computes in one server, each engine behind a door of its own."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ml_orchestrator.app_doors.probing import built_in, call, describe, engine_probe, improves
from ml_orchestrator.app_doors.slots import Slots
from ml_orchestrator.catalog import Catalog
from ml_orchestrator.doors import Door, import_alone
from ml_orchestrator.orchestration.connectors import Connector, Slot
from ml_orchestrator.orchestration.trust import trusted_types
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:
    from ml_orchestrator.learning.learner import Learner
    from ml_orchestrator.orchestration.evaluations import Evaluator
    from ml_orchestrator.orchestration.experiments import Experimenter
    from ml_orchestrator.orchestration.inspection import DataInspector
    from ml_orchestrator.orchestration.policy_checks import PolicyChecker
    from ml_orchestrator.orchestration.prompt_improvement import PromptImprover
    from ml_orchestrator.orchestration.prompt_learning import PromptLearner
    from ml_orchestrator.orchestration.reflection import Reflection, Versions
    from ml_orchestrator.services.deployment import Answerer
    from ml_orchestrator.services.monitoring import Looker
    from ml_orchestrator.serving.cache import ModelCache
    from ml_orchestrator.storage.engine import Database

__all__ = ["Engines"]


class Engines:
    """What trains, predicts, learns and judges.

    Args of the constructor:
        slots: where they are added; ``database`` is among them already.
        database: the state, for what learns.
    """

    def __init__(self, slots: Slots, database: "Slot[Database]") -> None:
        self._database = database
        self.answer: Door[Answerer] = Door(self._answer)
        self.look: Door[Looker] = Door(self._look, is_light=True)
        self._prompt_versions: Door[Callable[[Settings], Versions]] = Door(self._open_versions)
        self._add_models_and_prompts(slots)
        self._add_learning(slots)
        self._add_judgement(slots)

    def _add_models_and_prompts(self, slots: Slots) -> None:
        self.models: Slot[ModelCache] = slots.add(
            Connector("prediction", 1, self._models, describe, distribution="skops")
        )
        slots.add(
            Connector(
                "training", 1, self._probe_training, call, distribution="scikit-learn",
                capabilities=lambda _: _names("training.trainers", "TRAINERS"),
            )
        )  # fmt: skip
        self.improve: Slot[PromptImprover] = slots.add(
            Connector(
                "prompt-rules", 2, self._improve, improves, is_light=True,
                capabilities=lambda _: _names("optimization.rules", "RULES"),
            )
        )  # fmt: skip
        self.reflection: Slot[Reflection] = slots.add(
            Connector("prompt-search", 2, self._reflection, describe, distribution="gepa")
        )

    def _add_learning(self, slots: Slots) -> None:
        self._learner: Slot[Learner] = slots.add(
            Connector(
                "learning", 2, self._open_learner, describe, ("state-database",), is_light=True
            )
        )
        self.prompt_learner: Slot[PromptLearner] = slots.add(
            Connector(
                "prompt-selection", 2, self._prompt_learner, engine_probe("chooses_rules"),
                ("learning",), takes=("prompt_policy",), is_light=True,
            )
        )  # fmt: skip

    def _add_judgement(self, slots: Slots) -> None:
        """Add what judges data, versions and policies."""
        slots.add(
            Connector(
                "drift-tests", 3, self._probe_drift_tests, call, distribution="scipy",
                capabilities=lambda _: _names("health.drift", "DRIFT_TESTS"),
            )
        )  # fmt: skip
        self.inspector: Slot[DataInspector] = slots.add(
            Connector(
                "data-sets", 3, self._inspector, built_in, takes=("max_data_bytes",),
                distribution="polars", capabilities=lambda part: part.builtin_sources(),
            )
        )  # fmt: skip
        self.evaluator: Slot[Evaluator] = slots.add(
            Connector("pattern-discovery", 3, self._evaluator, engine_probe("finds_patterns"))
        )
        self.experimenter: Slot[Experimenter] = slots.add(
            Connector(
                "experiments",
                3,
                self._experimenter,
                engine_probe("tells_arms_apart"),
                distribution="scipy",
            )
        )
        self.policy_checker: Slot[PolicyChecker] = slots.add(
            Connector(
                "policy-checks",
                3,
                self._policy_checker,
                engine_probe("values_policies"),
                ("learning",),
            )
        )

    def _models(self, settings: Settings) -> "ModelCache":
        from ml_orchestrator.serving.cache import ModelCache

        return ModelCache(trusted_types(settings))

    def _answer(self) -> "Answerer":
        from ml_orchestrator.serving.predict import predict

        return predict

    def _look(self) -> "Looker":
        from ml_orchestrator.orchestration.processes import look_at_processes

        return look_at_processes

    def _probe_training(self, settings: Settings) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_training

        return partial(probe_training, settings.ray_address)

    def _improve(self, _: Settings) -> "PromptImprover":
        from ml_orchestrator.orchestration.prompt_improvement import improve_and_analyse

        return improve_and_analyse

    def _reflection(self, settings: Settings) -> "Reflection":
        from ml_orchestrator.orchestration.reflection import Reflection

        return Reflection(
            settings,
            lambda: self._prompt_versions()(settings),
            key=os.environ.get("ML_ORCHESTRATOR_PROMPT_KEY"),
        )

    def _open_versions(self) -> "Callable[[Settings], Versions]":
        from ml_orchestrator.orchestration.prompt_versions import prompt_versions

        return prompt_versions

    def _open_learner(self, _: Settings) -> "Learner":
        from ml_orchestrator.learning.learner import Learner

        return Learner(self._database())

    def _prompt_learner(self, settings: Settings) -> "PromptLearner":
        from ml_orchestrator.orchestration.prompt_learning import PromptLearner

        return PromptLearner(self._learner, policy=settings.prompt_policy)

    def _probe_drift_tests(self, _: Settings) -> Callable[[], str]:
        from ml_orchestrator.orchestration.probes import probe_drift_tests

        return probe_drift_tests

    def _inspector(self, settings: Settings) -> "DataInspector":
        from ml_orchestrator.orchestration.inspection import DataInspector

        return DataInspector(settings)

    def _evaluator(self, settings: Settings) -> "Evaluator":
        from ml_orchestrator.orchestration.evaluations import Evaluator

        return Evaluator(settings)

    def _experimenter(self, settings: Settings) -> "Experimenter":
        from ml_orchestrator.orchestration.experiments import Experimenter

        return Experimenter(settings)

    def _policy_checker(self, settings: Settings) -> "PolicyChecker":
        from ml_orchestrator.orchestration.policy_checks import PolicyChecker

        return PolicyChecker(settings, self._learner)


def _names(module: str, catalogue: str) -> list[str]:
    """Return the entries of ours in a catalogue; those of other packages are on their own."""
    found: Catalog[Any] = getattr(import_alone(f"ml_orchestrator.{module}"), catalogue)
    return found.ours
