"""The order in which chosen rules run: the declared one, or some of them before the others."""

from collections.abc import Iterable

from ml_orchestrator.optimization.rules import RULES, Rule

__all__ = ["FIRST", "bare_name", "in_order", "names_in_order"]

FIRST = ">"  # before a rule's name


def in_order(rules: Iterable[str] | None) -> list[Rule]:
    """Return rules, or all of them, in the order in which they run.

    Rules whose names have ``>`` before them run before those without; apart from that they run by
    their declared order, whatever the order of the names.

    Raises:
        NotFoundError: a name is no rule.

    >>> [rule.name for rule in in_order(["role", "clarity", ">output_contract"])]
    ['output_contract', 'clarity', 'role']
    """
    if rules is None:
        return sorted(RULES.values(), key=_declared)
    given = list(rules)
    first = _first(given)
    chosen = [RULES[name] for name in dict.fromkeys(map(bare_name, given))]
    return sorted(chosen, key=lambda rule: (rule.name not in first, *_declared(rule)))


def names_in_order(rules: Iterable[str]) -> list[str]:
    """Return the names of rules as they run, with ``>`` only where the order is not the declared.

    Raises:
        NotFoundError: a name is no rule.

    >>> names_in_order(["role", ">clarity"]), names_in_order([">role", "clarity"])
    (['clarity', 'role'], ['>role', 'clarity'])
    """
    given = list(rules)
    running = [rule.name for rule in in_order(given)]
    if running == [rule.name for rule in in_order(map(bare_name, given))]:
        return running
    first = _first(given)
    return [FIRST + name if name in first else name for name in running]


def bare_name(name: str) -> str:
    """Return a rule's name without the mark of one that runs first."""
    return name.removeprefix(FIRST)


def _first(names: Iterable[str]) -> set[str]:
    return {bare_name(name) for name in names if name.startswith(FIRST)}


def _declared(rule: Rule) -> tuple[int, str]:
    return rule.order, rule.name
