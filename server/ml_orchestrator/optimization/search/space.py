"""From what a search may choose to a rule set, and which limits it breaks."""

from collections.abc import Mapping, Sequence

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization._optuna import Choices
from ml_orchestrator.optimization.improve import conflicts_with
from ml_orchestrator.optimization.rule_order import FIRST, bare_name, in_order, names_in_order
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.models import Means, RulePlan, SearchSpec

__all__ = ["choices_of", "excess_of", "first_chosen", "is_allowed", "plan_of", "refuse_bad_rules"]

USE, EARLY, SKIP, ALL = "use", "use first", "skip", "all"
WORDS = (ALL, "25", "75", "150")
MARKS = ("yes", "no")


def refuse_bad_rules(spec: SearchSpec) -> None:
    """Return if the rules that a search must and must not use can be had together.

    Raises:
        NotFoundError: a name is no rule.
        InvalidInputError: a rule is both, two that are required conflict, or none is left.
    """
    if marked := [name for name in (*spec.required, *spec.forbidden) if name.startswith(FIRST)]:
        raise InvalidInputError(
            f"{marked[0]}: whether a rule runs first is searched for; give its name alone."
        )
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
    """Return what is open: each rule, in its place or first, how many words, marks or none."""
    rules = {
        name: (USE, EARLY) if name in spec.required else (SKIP, USE, EARLY)
        for name in RULES
        if name not in spec.forbidden
    }
    return {**rules, "max_added_words": WORDS, "may_ask": MARKS}


def first_chosen(spec: SearchSpec) -> list[dict[str, str]]:
    """Return what is tried first: every rule with marks and without, and none but the required."""
    rules = {name: options for name, options in choices_of(spec).items() if name in RULES}
    every = dict.fromkeys(rules, USE)
    none = {name: options[0] for name, options in rules.items()}
    return [
        {**every, "max_added_words": ALL, "may_ask": "yes"},
        {**every, "max_added_words": ALL, "may_ask": "no"},
        {**none, "max_added_words": ALL, "may_ask": "yes"},
    ]


def plan_of(spec: SearchSpec, chosen: Mapping[str, str]) -> RulePlan:
    """Return the rule set that was chosen, in the order in which its rules run."""
    marks = {USE: "", EARLY: FIRST}
    names = [marks[how] + name for name, how in chosen.items() if name in RULES and how != SKIP]
    words = chosen["max_added_words"]
    return RulePlan(
        rules=names_in_order(names),
        max_added_words=None if words == ALL else int(words),
        may_ask=chosen["may_ask"] == "yes",
    )


def is_allowed(spec: SearchSpec, rules: Sequence[str]) -> bool:
    """Say whether a given rule set has what is required and nothing that is forbidden."""
    names = set(map(bare_name, rules))
    return set(spec.required) <= names and not set(spec.forbidden) & names


def excess_of(spec: SearchSpec, means: Means) -> float:
    """Return by how much a rule set is over its limits, tokens and ms in sum; 0: it is not."""
    limits = (
        (means.tokens_added, spec.max_tokens_added), (means.latency_ms, spec.max_latency_ms)
    )  # fmt: skip
    over = (found - limit for found, limit in limits if found is not None and limit is not None)
    return sum(max(0.0, each) for each in over)
