"""The graph of a pipeline: who needs whom, an order, cycles by their paths, levels to draw."""

from collections.abc import Container, Iterable, Mapping, Sequence

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.conditions import parse_condition
from ml_orchestrator.orchestration.pipelines.models import PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.references import Reference, references_in

__all__ = ["cycles_in", "levels_of", "needs_of", "ordered", "references_of"]

Needs = Mapping[str, Sequence[str]]


def references_of(step: StepSpec) -> list[Reference]:
    """Return everything a step refers to: in its inputs, its condition and its list.

    Raises:
        InvalidInputError: a reference or the condition cannot be read.
    """
    found = [*references_in(step.with_), *references_in(step.for_each)]
    if step.when is not None:
        found += parse_condition(step.when).references()
    return found


def needs_of(spec: PipelineSpec) -> dict[str, list[str]]:
    """Return for each step those it needs, by name or by reference, each once and in order.

    What cannot be read is left out here; whoever checks the specification names it.
    """
    needs: dict[str, list[str]] = {}
    for name, step in spec.steps.items():
        try:
            referred = [r.name for r in references_of(step) if r.root == "steps"]
        except InvalidInputError:
            referred = []
        needs[name] = list(dict.fromkeys([*step.needs, *referred]))
    return needs


def ordered(needs: Needs) -> list[str]:
    """Return the steps so that each comes after those it needs; ties as they are given.

    Steps on a cycle, or behind one, are left out, as are needs that are no steps.
    """
    known = {name: {n for n in wanted if n in needs} for name, wanted in needs.items()}
    done: list[str] = []
    settled: set[str] = set()
    while ready := [n for n, wanted in known.items() if n not in settled and wanted <= settled]:
        done += ready
        settled |= set(ready)
    return done


def cycles_in(needs: Needs) -> list[list[str]]:
    """Return the path of one cycle, its first step again at the end, for each knot of steps.

    Steps that all reach each other are one knot, however many cycles lead through them.

    >>> cycles_in({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["d", "a"]})
    [['a', 'c', 'b', 'a'], ['d', 'd']]
    """
    stuck = set(needs) - set(ordered(needs))
    known = {name: [n for n in needs[name] if n in stuck] for name in needs if name in stuck}
    reached = {name: _reached(known, name) for name in known}
    found, seen = [], set[str]()
    for name in known:
        if name in reached[name] and name not in seen:
            knot = {each for each in reached[name] if name in reached[each]}
            seen |= knot
            found.append(_cycle_from(name, known, knot))
    return found


def _reached(needs: Needs, start: str) -> set[str]:
    """Return the steps that one needs, and those that these need; itself only on a cycle."""
    seen, left = set[str](), [start]
    while left:
        new = [name for name in needs[left.pop()] if name not in seen]
        seen.update(new)
        left += new
    return seen


def _cycle_from(start: str, needs: Needs, knot: Container[str]) -> list[str]:
    path: list[str] = []
    at = start
    while at not in path:  # every step of a knot needs one of it
        path.append(at)
        at = next(name for name in needs[at] if name in knot)
    return [*path[path.index(at) :], at]


def levels_of(order: Iterable[str], needs: Needs) -> dict[str, int]:
    """Return how many steps come before each at least, along its longest path."""
    levels: dict[str, int] = {}
    for name in order:
        levels[name] = 1 + max((levels[n] for n in needs[name] if n in levels), default=-1)
    return levels
