"""The graph of a run as text: a line a step, indented by how far it is from the beginning."""

from collections.abc import Sequence

from ml_orchestrator.orchestration.models import MARKS, RunStatus, StepStatus
from ml_orchestrator.orchestration.pipelines.graph import levels_of

__all__ = ["graph_text", "label_of", "needs_in"]


def graph_text(status: RunStatus) -> str:
    """Return the graph; ``<-`` names what a step needs beyond the line it stands under.

    A failed step has its error, and one that was skipped the reason, in the line below.
    """
    needs = needs_in(status.steps)
    levels = levels_of([step.name for step in status.steps], needs)
    lines = []
    for step in status.steps:
        indent = "  " * levels[step.name]
        after = f"  <- {', '.join(needs[step.name])}" if needs[step.name] else ""
        lines.append(f"{indent}{MARKS[step.state]} {step.name}  {label_of(step)}{after}")
        because = step.error or (step.node.because if step.node else None)
        lines += [f"{indent}    {because}"] if because else []
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def label_of(step: StepStatus) -> str:
    """Return state, items and time of a step in a few words."""
    parts: list[str] = [step.state]
    node = step.node
    if node is not None and node.n_items is not None:
        parts.append(f"{node.n_done} of {node.n_items}")
    if node is not None and node.failures:
        n_failed = len(node.failures)
        parts.append(f"{n_failed} failed {'try' if n_failed == 1 else 'tries'}")
    if node is not None and node.cached_from:
        parts.append("cached")
    if step.seconds is not None:
        parts.append(f"{step.seconds:.1f} s")
    return ", ".join(parts)


def needs_in(steps: Sequence[StepStatus]) -> dict[str, list[str]]:
    """Return what each step needs; in a built-in workflow that is the one before it."""
    before = [None, *(step.name for step in steps)]
    return {
        step.name: step.node.needs if step.node else [earlier] if earlier else []
        for step, earlier in zip(steps, before, strict=False)
    }
