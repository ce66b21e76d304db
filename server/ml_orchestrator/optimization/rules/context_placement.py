"""The rule that after long data the task is said again."""

from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule

__all__ = ["context_placement"]

_LONG_CHARACTERS = 1_500


@rule("context_placement", kind="order", order=45)
def context_placement(reading: Reading) -> Finding | None:
    """Say the task again after long data at the end, where it is read best."""
    end = len(reading.text.rstrip())
    task = reading.task
    last = reading.data[-1] if reading.data else None
    if task is None or last is None or last.end != end or task.start > last.start:
        return None
    if last.end - last.start <= _LONG_CHARACTERS:
        return None
    return Finding(
        "The task stands before long data only; what comes last is followed best.",
        task.start,
        task.end,
        (Edit(end, end, f"\n\nTask, for the text above: {task.sentence.rstrip(':')}"),),
    )
