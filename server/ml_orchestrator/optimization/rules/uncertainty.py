"""The rule that a prompt says what to do when the answer is not there."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import source
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["uncertainty"]

_SAID: Mapping[str, str] = MappingProxyType(
    {
        "classify": "If no label fits {source}, or two fit equally well, say so instead of "
        "forcing one, and name what is missing.",
        "extract": "If {source} does not state a value, return null for it; never guess one.",
        "answer": "Answer from {source} alone. If it does not hold the answer, say so and name "
        "what is missing.",
        "analyse": "Keep what {source} shows apart from what you infer. If the evidence does not "
        "settle a point, say so instead of guessing.",
        "review": "If you cannot tell from {source} whether something is wrong, list it as a "
        "question, not as a finding.",
        "decide": "If a fact that would change the choice is missing, name it and say how the "
        "choice depends on it; do not invent it.",
    }
)


@rule("uncertainty", kind="add", order=100)
def uncertainty(reading: Reading) -> Finding | None:
    """Say what to do when the answer is missing or unclear, and that guessing is wrong."""
    if not is_needed(reading, "uncertainty") or reading.has("uncertainty"):
        return None
    return added(
        reading,
        "If unsure",
        _SAID[reading.kind].format(source=source(reading)),
        reason="Nothing says what to do when the answer is not there, which invites guessing.",
    )
