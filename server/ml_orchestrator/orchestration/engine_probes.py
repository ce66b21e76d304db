"""Engines of one server used on data so small that it takes no time, with a known answer."""

import numpy as np

from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.learning.policy_models import PolicyColumns
from ml_orchestrator.orchestration.evaluations import Evaluator
from ml_orchestrator.orchestration.experiments import Experimenter
from ml_orchestrator.orchestration.policy_checks import PolicyChecker
from ml_orchestrator.orchestration.probes import PROMPT
from ml_orchestrator.orchestration.prompt_learning import PromptLearner

__all__ = ["chooses_rules", "finds_patterns", "tells_arms_apart", "values_policies"]

N_CASES = 300


def finds_patterns(evaluator: Evaluator) -> str:
    """Have a planted pattern found."""
    rng = np.random.default_rng(0)
    is_on = rng.random(N_CASES) < 0.5
    outcome = rng.random(N_CASES) < 0.2 + 0.6 * is_on
    cases = {
        "planted": np.where(is_on, "on", "off").tolist(),
        "noise": rng.normal(size=N_CASES).tolist(),
        "outcome": outcome.astype(float).tolist(),
    }
    spec = PatternSpec(outcome="outcome", with_clusters=False)
    report, _ = evaluator.patterns(cases, spec, with_plot=False)
    if not any("planted" in str(pattern) for pattern in report.patterns):
        raise ArithmeticError("a planted pattern is not found")
    return f"{len(report.patterns)} pattern found where one is"


def tells_arms_apart(experimenter: Experimenter) -> str:
    """Have two arms judged that differ."""
    arms = {"a": {"n": 1_000, "successes": 100}, "b": {"n": 1_000, "successes": 200}}
    report, _ = experimenter.evaluate(arms, ExperimentOptions())
    if report.comparisons[0].decision != "b_better":
        raise ArithmeticError("an arm with twice the successes is not seen as better")
    return "two arms that differ are told apart"


def values_policies(checker: PolicyChecker) -> str:
    """Have the logging policy itself valued, which earned what it earned."""
    rewards = (np.random.default_rng(0).random(N_CASES) < 0.5).astype(float)
    half = [0.5] * N_CASES
    table = {"reward": rewards.tolist(), "propensity": half, "target": half}
    report = checker.on_table(table, PolicyColumns(target="target"))
    value = report.estimates["snips"].value
    if abs(value - rewards.mean()) > 1e-9:
        raise ArithmeticError("the logging policy is not worth what it earned")
    return f"the logging policy is worth what it earned, {value:.3f}"


def chooses_rules(learner: PromptLearner) -> str:
    """Have rules found to choose from; who decides among them is a component of its own."""
    n_choices = len(learner.choices(PROMPT))
    if not n_choices:
        raise ArithmeticError("there is nothing to choose from for a prompt that is wrong")
    return f"{n_choices} sets of rules to choose from for a prompt that needs them"
