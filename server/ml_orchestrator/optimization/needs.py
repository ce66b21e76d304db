"""Which components a prompt should have, by what it asks for.

The table is a judgement, made from published guides of model makers and our own use: it says
what an expert would miss. Rules and rubric share it, so that they never disagree.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.reading import Reading, fill

__all__ = ["SPECIFICS", "is_needed", "kind_needs", "missing_specifics"]

_NEEDED_BY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "role": frozenset(
            "write code debug review analyse decide plan explain brainstorm converse".split()
        ),
        "output": frozenset(
            "classify extract summarise translate rewrite write code debug review analyse decide "
            "calculate plan brainstorm explain convert".split()
        ),
        "examples": frozenset("classify extract convert".split()),
        "steps": frozenset("calculate debug decide analyse".split()),
        "constraints": frozenset(
            "summarise translate rewrite write code plan review brainstorm converse".split()
        ),
        "success": frozenset("write code plan explain debug".split()),
        "uncertainty": frozenset("classify extract analyse decide review answer".split()),
    }
)
# What a prompt may do without: who wrote a long one and left it out did not want it.
_OPTIONAL = frozenset({"role", "examples", "steps", "success"})
# What must be said for the result to be the wanted one and no other.
SPECIFICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "write": ("audience", "length"),
        "explain": ("audience",),
        "summarise": ("length",),
        "brainstorm": ("count", "context"),
        "plan": ("context", "span"),
        "decide": ("context",),
        "code": ("technology",),
        "debug": ("symptom",),
    }
)


def kind_needs(kind: str, component: str) -> bool:
    """Say whether a kind of task needs a component, whatever else its prompt says."""
    return kind in _NEEDED_BY[component]


def is_needed(reading: Reading, component: str) -> bool:
    """Say whether an expert would miss this component if it were not there.

    >>> from ml_orchestrator.optimization.reading import read_prompt
    >>> [is_needed(read_prompt("Classify this review: {review}"), c) for c in ("output", "role")]
    [True, False]
    """
    if not kind_needs(reading.kind, component):
        return False
    if component in _OPTIONAL and reading.is_long:
        return False
    if component == "examples" and not _placeholders(reading):
        return False  # it is about this text alone: there will be no other to follow the example
    return reading.kind != "answer" or bool(reading.data)


def _placeholders(reading: Reading) -> set[str]:
    """Return the author's own, without marks of what is still to be filled in."""
    return set(reading.parts.texts("placeholder")) - set(map(fill, reading.open_fills))


def missing_specifics(reading: Reading) -> tuple[str, ...]:
    """Return what this kind of task needs to be said and is not, in a fixed order.

    Who wrote a developed prompt and named a reader or a length has thought of both.
    """
    wanted = SPECIFICS.get(reading.kind, ())
    missing = tuple(each for each in wanted if not reading.has(each))
    if reading.kind == "write" and len(missing) < len(wanted) and reading.is_developed:
        return ()
    return missing
