"""A search over rule sets with its evidence: prompts, logged outcomes or recorded scores.

Learning and optimisation do not know each other; what the one logged becomes evidence of the
other here.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.learning.learner import MOST_DECISIONS
from ml_orchestrator.learning.log import DecisionLog
from ml_orchestrator.optimization.rule_order import names_in_order
from ml_orchestrator.optimization.search.evidence import Evidence, Rows
from ml_orchestrator.optimization.search.models import RulePlan, SearchSpec
from ml_orchestrator.optimization.search.outcome_evidence import OutcomeEvidence
from ml_orchestrator.optimization.search.rubric_evidence import RubricEvidence
from ml_orchestrator.optimization.search.run import least_budget
from ml_orchestrator.optimization.search.score_evidence import ScoreEvidence
from ml_orchestrator.optimization.search.space import refuse_bad_rules
from ml_orchestrator.orchestration.prompt_files import read_prompts, read_scores
from ml_orchestrator.orchestration.prompt_places import check_place
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["check_rule_search", "evidence_for", "read_spec"]


def check_rule_search(settings: Settings, params: Mapping[str, Any]) -> None:
    """Raise what the search would raise at its start; nothing is written.

    Raises:
        InvalidInputError: rules, prompts, scores or the budget cannot be used.
        NotFoundError: a rule or a file does not exist.
        PermissionDeniedError: the alias is moved by people alone.
    """
    if params.get("register_as") is not None:
        check_place(params["register_as"], params.get("alias"))
    elif params.get("alias") is not None:
        raise InvalidInputError("An alias needs register_as, the name of the prompt in MLflow.")
    spec = read_spec(settings, params)
    refuse_bad_rules(spec)
    evidence = evidence_for(settings, spec)
    if spec.budget is not None and spec.budget < (needed := least_budget(evidence)):
        raise InvalidInputError(
            f"A budget of {spec.budget} evaluations is too small; at least {needed} are needed: "
            f"eight trials on {evidence.n_search} and one look at {evidence.n_held_out} held out."
        )


def read_spec(settings: Settings, params: Mapping[str, Any]) -> SearchSpec:
    """Return what is searched for, with what files hold read.

    Raises:
        InvalidInputError: a file cannot be used, both a file and values are given, or a value is
            outside its limits.
    """
    values = {name: params[name] for name in SearchSpec.model_fields if name in params}
    for name, read in (("prompts", read_prompts), ("scores", read_scores)):
        source = params.get(f"{name}_source")
        if source is not None and values.get(name):
            raise InvalidInputError(f"Give {name} or a file of them, not both.")
        if source is not None:
            values[name] = read(settings, source)
    try:
        return SearchSpec.model_validate(values)
    except ValidationError as error:
        fault = faults_of(error.errors()[:1])
        raise InvalidInputError(f"The search cannot begin, {fault}.") from error


def evidence_for(settings: Settings, spec: SearchSpec) -> Evidence:
    """Return what speaks for rule sets at the level of ``spec``.

    Raises:
        InvalidInputError: there is too little of it, or what is needed lacks.
    """
    baseline = RulePlan(rules=names_in_order(spec.baseline))
    if spec.level == "L0":
        _refuse(spec, "scores", why="The rubric scores prompts itself.")
        return RubricEvidence(spec.prompts, baseline, seed=spec.seed)
    if spec.level == "L2":
        return ScoreEvidence(spec.scores, spec.prompts, baseline, seed=spec.seed)
    _refuse(spec, "scores", "baseline", why="Gains are over what was chosen, as logged.")
    return OutcomeEvidence(_logged(settings), spec.prompts, seed=spec.seed)


def _refuse(spec: SearchSpec, *names: str, why: str) -> None:
    for name in names:
        if getattr(spec, name):
            raise InvalidInputError(f"Level {spec.level} takes no {name}: {why}")


def _logged(settings: Settings) -> Rows:
    with closing(open_database(settings.state_url, settings.home)) as database:
        log = DecisionLog(database, most_kept=MOST_DECISIONS)
        judged = [d for d in log.newest("outcome", n=MOST_DECISIONS) if d.reward is not None]
    return Rows(
        offered=[frozenset(decision.keys) for decision in judged],
        chosen=[decision.chosen for decision in judged],
        propensity=[
            decision.propensities[decision.keys.index(decision.chosen)] for decision in judged
        ],
        reward=[float(decision.reward or 0.0) for decision in judged],
    )
