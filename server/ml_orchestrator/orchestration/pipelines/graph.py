"""The graph of a pipeline: who needs whom, an order, a cycle by its path, levels to draw."""

from collections.abc import Iterable, Mapping, Sequence

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.conditions import parse_condition
from ml_orchestrator.orchestration.pipelines.models import PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.references import Reference, references_in

__all__ = ["cycle_in", "levels_of", "needs_of", "ordered", "references_of"]

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


def cycle_in(needs: Needs) -> list[str] | None:
    """Return the path of a cycle, its first step again at the end; None if there is none.

    >>> cycle_in({"a": ["c"], "b": ["a"], "c": ["b"]})
    ['a', 'c', 'b', 'a']
    """
    stuck = set(needs) - set(ordered(needs))
    if not stuck:
        return None
    path: list[str] = []
    at = next(name for name in needs if name in stuck)
    while at not in path:  # every stuck step needs a stuck one
        path.append(at)
        at = next(name for name in needs[at] if name in stuck)
    return [*path[path.index(at) :], at]


def levels_of(order: Iterable[str], needs: Needs) -> dict[str, int]:
    """Return how many steps come before each at least, along its longest path."""
    levels: dict[str, int] = {}
    for name in order:
        levels[name] = 1 + max((levels[n] for n in needs[name] if n in levels), default=-1)
    return levels
