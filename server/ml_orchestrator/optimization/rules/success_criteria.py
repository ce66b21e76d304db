"""The rule that the prompt says when the answer is good."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import count_asked
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.reading_patterns import COMPONENTS
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


@rule("success_criteria", kind="add", order=110)
def success_criteria(reading: Reading) -> Finding | None:
    """Say when the answer is good, as checks drawn from what the prompt asks for."""
    if not is_needed(reading, "success") or reading.has("success"):
        return None
    checks = [*_own_checks(reading), *_CHECKS[reading.kind]]
    body = "\n".join(("Before you finish, check that:", *(f"- {check}" for check in checks)))
    return added(
        reading,
        "Success criteria",
        body,
        reason="Nothing says when the result is good, so it cannot be checked.",
    )


def _own_checks(reading: Reading) -> list[str]:
    checks = []
    if many := count_asked(reading):
        checks.append(f"there are {many}")
    length = COMPONENTS["length"][1].search(reading.prose)
    if length and length[0] not in many:
        checks.append(f"the length is as asked: {length[0]}")
    if reading.has("constraints"):
        checks.append("each constraint holds")
    return checks
