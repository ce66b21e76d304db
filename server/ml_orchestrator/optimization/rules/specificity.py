"""The rule that what decides the result is said."""

from ml_orchestrator.optimization.asked import genre
from ml_orchestrator.optimization.needs import missing_specifics
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["specificity"]

_RESULTS = {"plan": "plan", "explain": "explanation"}
_CONTEXTS = {
    "decide": "who decides, for what use, and what matters most",
    "plan": "the goal, the start and what is there already",
}


@rule("specificity", kind="add", order=60)
def specificity(reading: Reading) -> Finding | None:
    """Ask the author for what decides the result: audience, length, context, time, technology."""
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
    """Return labelled lines for the author to fill in."""
    kind = reading.kind
    thing = genre(reading) or _RESULTS.get(kind, "result")
    asked = {
        "audience": {"Audience": f"who reads the {thing} and what they know already"},
        "length": {"Length": "how many words" if kind == "write" else "how many sentences"},
        "count": {"Count": "how many"},
        "span": {"Time": "from when to when, and how much of it"},
        "context": {"Context": _CONTEXTS.get(kind, f"what the {thing} is for, and for whom")},
        "technology": {"Technology": "language, version and frameworks"},
        "symptom": {
            "Expected": "what should happen",
            "Observed": "what happens instead, with the error message",
        },
    }
    return [f"{label}: {fill(what)}" for label, what in asked[missing].items()]
