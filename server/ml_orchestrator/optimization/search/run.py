"""The search: tries rule sets, keeps the front, and looks at it again on what it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.paired_gain import least_pairs
from ml_orchestrator.optimization._optuna import Direction, Past, draw
from ml_orchestrator.optimization.idle_rules import idle_in_all
from ml_orchestrator.optimization.search.confirming import ALPHA, confirmed
from ml_orchestrator.optimization.search.evidence import Evidence
from ml_orchestrator.optimization.search.front import Tried, front_of, thinned, values_of
from ml_orchestrator.optimization.search.models import (
    Member,
    OptimisationReport,
    RulePlan,
    SearchSpec,
)
from ml_orchestrator.optimization.search.space import (
    choices_of,
    excess_of,
    first_chosen,
    is_allowed,
    plan_of,
)
from ml_orchestrator.optimization.search.trials import Trial, TrialFile

__all__ = ["Found", "least_budget", "optimise"]

MOST_MEMBERS = 8
LEAST_TRIALS = 8
StoppedBy = Literal["trials", "budget", "all tried", "stopped"]


class Tell(Protocol):
    """Is told how far a search is."""

    def __call__(self, fraction: float, message: str) -> None:
        """Take ``fraction`` (0 to 1) done, and what is being done."""


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and all that was tried for its picture."""

    report: OptimisationReport
    tried: Sequence[Tried]


@dataclass
class _Course:
    """A search on its way."""

    spec: SearchSpec
    evidence: Evidence
    trials: list[Trial]
    known: dict[str, Trial] = field(default_factory=dict)

    @property
    def n_evaluations(self) -> int:
        return len(self.known) * self.evidence.n_search

    @property
    def has_budget(self) -> bool:
        """Whether one trial more leaves enough for one full look at what was held out."""
        budget = self.spec.budget
        after = self.n_evaluations + self.evidence.n_search + self.evidence.n_held_out
        return budget is None or after <= budget


def least_budget(evidence: Evidence) -> int:
    """Return what a search takes at least: eight trials and one look at what was held out."""
    return LEAST_TRIALS * evidence.n_search + evidence.n_held_out


def optimise(
    spec: SearchSpec,
    evidence: Evidence,
    directory: Path,
    *,
    tell: Tell = lambda fraction, message: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Found:
    """Search, or go on with the search that ``directory`` holds, and confirm its front.

    The same spec and evidence give the same report, but for the time that rules take. With
    ``is_stopped`` it ends after the trial it is at, with what it has.

    Raises:
        InvalidInputError: the budget is too small, or no rule set keeps to the limits.
        ConflictError: the directory holds another search.
    """
    if spec.budget is not None and spec.budget < (needed := least_budget(evidence)):
        raise InvalidInputError(
            f"A budget of {spec.budget} evaluations (a prompt under a rule set) is too small: at "
            f"least {needed} are needed, {LEAST_TRIALS} trials on {evidence.n_search} and one look "
            f"at {evidence.n_held_out} held out."
        )
    file = TrialFile(directory, spec, of=f"{evidence.n_search}+{evidence.n_held_out}")
    course = _Course(spec, evidence, file.read())
    course.known = {trial.plan.name: trial for trial in course.trials}
    stopped_by = _try_all(course, file, tell, is_stopped)
    tried = [Tried(t.plan, t.means, t.excess) for t in course.known.values()]
    front = thinned(front_of(tried), _affordable(course))
    if not front:
        raise InvalidInputError(_over_limits(spec, tried))
    tell(0.9, f"Confirming {len(front)} rule sets on {evidence.n_held_out} held out")
    members = confirmed(front, evidence)
    return Found(_report(course, members, stopped_by), tried)


def _over_limits(spec: SearchSpec, tried: Sequence[Tried]) -> str:
    least = min(tried, key=lambda t: t.excess).means
    limits = {
        "max_tokens_added": (spec.max_tokens_added, least.tokens_added),
        "max_latency_ms": (spec.max_latency_ms, least.latency_ms),
    }
    told = " and ".join(
        f"{name}={limit} (nearest: {found:.1f})"
        for name, (limit, found) in limits.items()
        if limit is not None and found is not None
    )
    return f"Of {len(tried)} rule sets none keeps to {told}. Raise it, or require fewer rules."


def _try_all(
    course: _Course, file: TrialFile, tell: Tell, is_stopped: Callable[[], bool]
) -> StoppedBy:
    plans = course.evidence.plans
    given = None if plans is None else [p for p in plans if is_allowed(course.spec, p.rules)]
    if given is not None and not given:
        raise InvalidInputError(
            "No recorded rule set has all required rules and no forbidden one; recorded are: "
            f"{', '.join(plan.name for plan in plans or [])[:500]}."
        )
    n_trials = course.spec.n_trials if given is None else len(given)
    while len(course.trials) < n_trials:
        if course.trials and is_stopped():
            return "stopped"
        if course.trials and not course.has_budget:
            return "budget"
        number = len(course.trials)
        chosen, plan = ({}, given[number]) if given is not None else _next(course)
        trial = course.known.get(plan.name) or _tried(course, plan)
        trial = trial.model_copy(update={"chosen": chosen})
        course.trials.append(trial)
        course.known.setdefault(plan.name, trial)
        file.add(trial)
        best = max(t.means.effect for t in course.trials)
        tell(0.9 * (number + 1) / n_trials, f"Trial {number + 1} of {n_trials}, best {best:+.3f}")
    return "trials" if given is None else "all tried"


def _next(course: _Course) -> tuple[dict[str, str], RulePlan]:
    """Return what is tried next; what a draw repeats is drawn, but not worked out, again."""
    number, first = len(course.trials), first_chosen(course.spec)
    if number < len(first):
        chosen = first[number]
    else:
        past = [Past(t.chosen, values_of(t.means), t.excess) for t in course.trials]
        directions: list[Direction] = ["minimize"] * len(past[0].values)
        chosen = draw(choices_of(course.spec), past, directions=directions, seed=course.spec.seed)
    return chosen, plan_of(course.spec, chosen)


def _tried(course: _Course, plan: RulePlan) -> Trial:
    means = course.evidence.look(plan)
    return Trial(chosen={}, plan=plan, means=means, excess=excess_of(course.spec, means))


def _affordable(course: _Course) -> int:
    """Return how many of the front the rest of the budget can look at again; at least one."""
    if course.spec.budget is None:
        return MOST_MEMBERS
    rest = course.spec.budget - course.n_evaluations
    return max(1, min(MOST_MEMBERS, rest // course.evidence.n_held_out))


def _report(
    course: _Course, members: Sequence[Member], stopped_by: StoppedBy
) -> OptimisationReport:
    spec, evidence = course.spec, course.evidence
    good = [member for member in members if member.held_out.is_confirmed]
    best = max(good, key=lambda m: m.held_out.gain, default=None)
    return OptimisationReport(
        level=spec.level,
        front=list(members),
        recommended=best and best.plan,
        baseline=spec.baseline,
        n_search=evidence.n_search,
        n_held_out=evidence.n_held_out,
        n_trials=len(course.trials),
        n_evaluations=course.n_evaluations + len(members) * evidence.n_held_out,
        stopped_by=stopped_by,
        refused=dict(evidence.refused),
        idle=idle_in_all([*spec.required, *spec.baseline], spec.prompts),
        summary=_summary(spec, members, best),
    )


def _summary(spec: SearchSpec, members: Sequence[Member], best: Member | None) -> str:
    means = {
        "L0": "It says that prompts meet a rubric, not that answers are better.",
        "L1": "It says how outcomes went, as logged.",
        "L2": "It says how the task's metric did, as recorded.",
    }[spec.level]
    if best is None:
        n = members[0].held_out.n
        is_hopeless = n < least_pairs(ALPHA / len(members))
        hint = f" {n} held out cannot confirm any of so many: give more." if is_hopeless else ""
        return f"None of {len(members)} rule sets is confirmed on what was held out.{hint} {means}"
    held = best.held_out
    return (
        f"{best.plan.name}: {held.gain:+.3f} ({held.low:+.3f} to {held.high:+.3f}) on "
        f"{held.n} held out, {best.search.effect:+.3f} in the search. {means}"
    )
