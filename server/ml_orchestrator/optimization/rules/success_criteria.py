"""The rule that the prompt says when the answer is good."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import (
    CREATIVE,
    count_asked,
    genre,
    length_asked,
    may_invent,
)
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["success_criteria"]

_CHECKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "write": (
            "the reader knows at the end what to think or do",
            "every claim can be traced to what was given",
        ),
        "code": (
            "the code runs as it stands",
            f"these cases give the right result: {fill('inputs with expected results')}",
        ),
        "plan": ("each step names its result", "no step needs what comes after it"),
        "explain": (
            "every term is explained before it is used",
            "the reader could now answer a simple question about it",
        ),
        "debug": (
            "the fix removes the cause and not only its sign",
            "what failed works now, and what worked still does",
        ),
    }
)
_CREATIVE = ("it reads well aloud", "the end follows from what comes before")


@rule("success_criteria", kind="add", order=110)
def success_criteria(reading: Reading) -> Finding | None:
    """Say when the answer is good, as checks drawn from what the prompt asks for."""
    if not is_needed(reading, "success") or reading.has("success"):
        return None
    checks = [*_own_checks(reading), *_usual_checks(reading)]
    body = "\n".join(("Before you finish, check that:", *(f"- {check}" for check in checks)))
    return added(
        reading,
        "Success criteria",
        body,
        reason="Nothing says when the result is good, so it cannot be checked.",
    )


def _usual_checks(reading: Reading) -> tuple[str, ...]:
    if genre(reading) in CREATIVE:
        return _CREATIVE
    checks = _CHECKS[reading.kind]
    return checks[:1] if reading.kind == "write" and may_invent(reading) else checks


def _own_checks(reading: Reading) -> list[str]:
    checks = []
    if many := count_asked(reading):
        checks.append(f"there are {many}")
    if length := length_asked(reading):
        checks.append(f"the length is as asked: {length}")
    if reading.has("constraints"):
        checks.append("each constraint holds")
    return checks
