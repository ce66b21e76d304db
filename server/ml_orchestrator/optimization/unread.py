"""Sentences of a prompt that no pattern understands, and what they could be.

Patterns know the common wordings only. Who wrote a prompt with care has mostly said what seems to
be missing, in other words; so in a developed prompt a sentence that was not understood counts as
the component whose form it has.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["could_be"]

_STATES = re.compile(
    r"(?:the|it|its|they|this|that|these|those|each|every|an?|there|you|your|we|our|i|my|he|she|nobody|"
    r"everybody|somebody|all|both|one|two|three|four|five|six|seven|eight|nine|ten|\d+)\b"
)
_STATED = r"(?s).*\b(?:if|when|can|until|afterwards|once|understood)\b"
# How a sentence of each component looks, whatever its words: a statement or not, and a cue.
_FORMS: Mapping[str, tuple[bool | None, str]] = MappingProxyType(
    {
        "role": (True, r"you\b|your\b"),
        "output": (False, ""),
        "steps": (False, ""),
        "constraints": (None, ""),
        "uncertainty": (
            None,
            r"(?s).*\b(?:if|where|should|when|which|unless|silent|open|missing|gap|both)\b",
        ),
        "success": (True, _STATED),
        "audience": (True, ""),
        "length": (True, ""),
        "count": (True, ""),
        "span": (True, ""),
        "context": (True, ""),
        "technology": (True, ""),
        "symptom": (True, ""),
    }
)
_COMPILED = {name: (states, re.compile(cue)) for name, (states, cue) in _FORMS.items()}


def could_be(component: str, sentence: str) -> bool:
    """Say whether a sentence, in small letters, has the form of a component.

    >>> could_be("success", "it works if a child can tell why."), could_be("role", "run it twice.")
    (True, False)
    """
    if component not in _COMPILED:
        return False
    states, cue = _COMPILED[component]
    is_statement = _STATES.match(sentence) is not None
    return states in (None, is_statement) and cue.match(sentence) is not None
