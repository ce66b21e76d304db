"""From what a search may choose to a rule set, and which limits it breaks."""

from collections.abc import Mapping, Sequence

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization._optuna import Choices
from ml_orchestrator.optimization.improve import conflicts_with, in_order
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.models import Means, RulePlan, SearchSpec

__all__ = ["choices_of", "excess_of", "first_chosen", "is_allowed", "plan_of", "refuse_bad_rules"]

USE, SKIP, ALL = "use", "skip", "all"
WORDS = (ALL, "25", "75", "150")
MARKS = ("yes", "no")


def refuse_bad_rules(spec: SearchSpec) -> None:
    """Return if the rules that a search must and must not use can be had together.

    Raises:
        NotFoundError: a name is no rule.
        InvalidInputError: a rule is both, two that are required conflict, or none is left.
    """
    required = in_order(spec.required)
    in_order(spec.baseline)
    both = {rule.name for rule in required} & {rule.name for rule in in_order(spec.forbidden)}
    if both:
        raise InvalidInputError(f"Required and forbidden at once: {', '.join(sorted(both))}.")
    for rule in required:
        against = conflicts_with(rule, spec.required)
        if against:
            raise InvalidInputError(
                f"Required rules conflict: {rule.name} and {against[0]}; only one of them can be "
                "applied to a prompt. Require one."
            )
    if set(spec.forbidden) >= set(RULES):
        raise InvalidInputError("Every rule is forbidden, so there is nothing to search.")


def choices_of(spec: SearchSpec) -> Choices:
    """Return what is open: each free rule, how many words may be added, marks or none."""
    fixed = {*spec.required, *spec.forbidden}
    rules = {name: (SKIP, USE) for name in RULES if name not in fixed}
    return {**rules, "max_added_words": WORDS, "may_ask": MARKS}


def first_chosen(spec: SearchSpec) -> list[dict[str, str]]:
    """Return what is tried first: every rule with marks and without, and none but the required."""
    free = [name for name in choices_of(spec) if name in RULES]
    every, none = dict.fromkeys(free, USE), dict.fromkeys(free, SKIP)
    return [
        {**every, "max_added_words": ALL, "may_ask": "yes"},
        {**every, "max_added_words": ALL, "may_ask": "no"},
        {**none, "max_added_words": ALL, "may_ask": "yes"},
    ]


def plan_of(spec: SearchSpec, chosen: Mapping[str, str]) -> RulePlan:
    """Return the rule set that was chosen, in the order in which its rules run."""
    names = [name for name, how in chosen.items() if how == USE and name in RULES]
    words = chosen["max_added_words"]
    return RulePlan(
        rules=[rule.name for rule in in_order([*names, *spec.required])],
        max_added_words=None if words == ALL else int(words),
        may_ask=chosen["may_ask"] == "yes",
    )


def is_allowed(spec: SearchSpec, rules: Sequence[str]) -> bool:
    """Say whether a given rule set has what is required and nothing that is forbidden."""
    return set(spec.required) <= set(rules) and not set(spec.forbidden) & set(rules)


def excess_of(spec: SearchSpec, means: Means) -> float:
    """Return by how many tokens a rule set is over the limit; 0 or less: it is not."""
    if spec.max_tokens_added is None or means.tokens_added is None:
        return 0.0
    return means.tokens_added - spec.max_tokens_added
