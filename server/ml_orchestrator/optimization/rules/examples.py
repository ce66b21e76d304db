"""The rule that a mapping is shown, not only described."""

from ml_orchestrator.optimization.asked import labels
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.reading_patterns import data_name
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["examples"]

_MOST_LABELS = 5


@rule("examples", kind="add", order=90)
def examples(reading: Reading) -> Finding | None:
    """Prepare examples of input and output, one for each label or case, for the author to fill."""
    if not is_needed(reading, "examples") or reading.has("examples"):
        return None
    return added(
        reading,
        "Examples",
        "\n".join(_pairs(reading)),
        reason="The task maps inputs to outputs, and no example shows how.",
    )


def _pairs(reading: Reading) -> list[str]:
    thing = _thing(reading)
    if reading.kind == "classify":
        found = labels(reading)[:_MOST_LABELS]
        if found:
            return [f"- Input: {fill(f'a {thing} that is {name}')} → {name}" for name in found]
        return [f"- Input: {fill(f'a typical {thing}')} → {fill('its label')}"]
    return [
        f"- Input: {fill(f'a typical {thing}')} → {fill('what comes out')}",
        f"- Input: {fill(f'a {thing} where something is missing')} → {fill('what comes out then')}",
    ]


def _thing(reading: Reading) -> str:
    for part in reading.data:
        name = data_name(reading.text[part.start : part.end][:80])
        if name:
            return name.removesuffix("s") if name.endswith("s") else name
    return "text"
