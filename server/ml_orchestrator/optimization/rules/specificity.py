"""The rule that what decides the result is said."""

from ml_orchestrator.optimization.asked import genre
from ml_orchestrator.optimization.needs import missing_specifics
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["specificity"]


@rule("specificity", kind="add", order=60)
def specificity(reading: Reading) -> Finding | None:
    """Ask the author for what decides the result: audience, length, context, technology."""
    missing = missing_specifics(reading)
    if not missing:
        return None
    lines = [line for each in missing for line in _lines(reading, each)]
    return added(
        reading,
        "Details",
        "\n".join(lines),
        reason=f"Nothing is said about {' or '.join(missing)}, so the model has to guess.",
        is_titled=reading.style != "labels",
    )


def _lines(reading: Reading, missing: str) -> list[str]:
    thing = genre(reading) or {"plan": "plan", "explain": "explanation"}.get(reading.kind, "result")
    if missing == "audience":
        return [f"Audience: {fill(f'who reads the {thing} and what they know already')}"]
    if missing == "length":
        unit = {"brainstorm": "how many", "plan": "how many steps or weeks"}.get(reading.kind)
        usual = "how many words" if reading.kind == "write" else "how many sentences"
        return [f"Length: {fill(unit or usual)}"]
    if missing == "context":
        asks = {
            "decide": "who decides, for what use, and what matters most",
            "plan": "the goal, the start and what is there already",
        }
        return [
            f"Context: {fill(asks.get(reading.kind, f'what the {thing} is for, and for whom'))}"
        ]
    if missing == "technology":
        return [f"Technology: {fill('language, version and frameworks')}"]
    return [
        f"Expected: {fill('what should happen')}",
        f"Observed: {fill('what happens instead, with the error message')}",
    ]
