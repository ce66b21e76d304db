"""The rule that limits are stated."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import may_invent, source
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["constraints"]

_LIMITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "summarise": (
            "Use only what {source} says; add no facts, opinions or advice.",
            "Keep names, numbers and dates as they are.",
        ),
        "translate": (
            "Keep names, numbers, code and placeholders as they are.",
            "Do not add, explain or leave out anything.",
        ),
        "rewrite": (
            "Keep the meaning, and every fact, name and number.",
            "Do not add anything that {source} does not say.",
        ),
        "write": (
            "Do not invent facts, quotes, figures or sources.",
            f"It must contain: {fill('points that have to be in it')}",
            f"Leave out: {fill('what it must not mention')}",
        ),
        "code": (
            f"Allowed libraries: {fill('which ones, or only the standard library')}",
            "Do not change behaviour or names that the request does not mention.",
            "Reject invalid input with a clear error; never ignore it silently.",
        ),
        "plan": (
            f"Limits: {fill('budget, people and dates that bind the plan')}",
            "Do not assume money, people or tools that are not named.",
        ),
        "review": (
            "Judge only what is there; do not rewrite it.",
            "Leave out matters of taste.",
        ),
        "brainstorm": (
            "Each one must differ from the others in kind, not in wording.",
            f"Leave out: {fill('what was tried already or is not wanted')}",
        ),
        "converse": (
            "Stay in the role, and do not speak for the other side.",
            f"Avoid: {fill('subjects that the conversation must not touch')}",
        ),
    }
)


@rule("constraints", kind="add", order=80)
def constraints(reading: Reading) -> Finding | None:
    """State what must stay, what must not happen, and ask for limits only the author knows."""
    if not is_needed(reading, "constraints") or reading.has("constraints"):
        return None
    limits = _LIMITS[reading.kind]
    if reading.kind == "write" and may_invent(reading):
        limits = limits[1:]
    lines = "\n".join(f"- {line}" for line in limits)
    return added(
        reading,
        "Constraints",
        lines.replace("{source}", source(reading)),
        reason="No limit is stated: nothing says what must stay or must not happen.",
    )
