"""The rule that reasoning comes before its result."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import options, source
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["step_by_step"]

_ONLY_RESULT = re.compile(
    r"\b(?:no explanations?|without (?:any )?(?:explanations?|reasoning|steps)|do not explain|don't explain|"
    r"only the (?:answer|result|number|label|final)|just the (?:answer|result|number))\b"
)
_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "calculate": "First write down what is given and what is asked for. Then work one operation "
        "at a time, with units, and check the result by its size or by another way.",
        "debug": "First say what should happen and what happens. Then list the causes that would "
        "explain the difference, test each against the evidence, and only then write the fix.",
        "decide": "First name the criteria that matter here, then judge {options} by each of them "
        "with the evidence, and decide last.",
        "analyse": "First list what {source} shows, then what follows from it, then what it leaves "
        "open, and conclude last.",
    }
)


@rule("step_by_step", kind="add", order=85, conflicts=("decomposition",))
def step_by_step(reading: Reading) -> Finding | None:
    """Let the model work through a hard question in steps that fit it, before it answers."""
    if not is_needed(reading, "steps") or reading.has("steps"):
        return None
    if _ONLY_RESULT.search(reading.prose):
        return None
    named = " and ".join(options(reading)) or "each option"
    return added(
        reading,
        "How to work",
        _WAYS[reading.kind].format(options=named, source=source(reading)),
        reason="The task needs reasoning, and nothing makes it come before the result.",
    )
