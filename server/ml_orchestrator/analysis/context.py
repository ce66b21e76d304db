"""The context of a prompt for learning which rules help: a short vector of numbers from 0 to 1."""

from collections.abc import Mapping
from math import log

__all__ = ["CONTEXT_NAMES", "context_of"]

# In this order, always: what was learnt is kept by place. The first five sum to 1.
CONTEXT_NAMES = (
    "is_technical",
    "is_scholarly",
    "is_formal",
    "is_writing",
    "is_general",
    "length",
    "structure",
    "ambiguity",
    "constraints",
    "code",
    "has_output_format",
    "has_examples",
)
_GROUPS = (
    ("software", "data_ml", "operations"),
    ("science", "education", "medical"),
    ("legal", "business"),
    ("writing",),
    ("general",),
)
_LONGEST_WORDS = 2_000
_MANY_VAGUE = 0.1
_MANY_CONSTRAINTS = 5.0


def context_of(features: Mapping[str, float], domains: Mapping[str, float]) -> tuple[float, ...]:
    """Return the numbers of ``CONTEXT_NAMES`` from all features and all domains' probabilities.

    Length is logarithmic: 0 for no word, 1 from 2,000 words on.
    """
    groups = [sum(domains[name] for name in group) for group in _GROUPS]
    has_code = features["n_fences"] or features["n_inline_code"] or features["n_code_entities"]
    values = [
        *groups,
        log(1 + features["n_words"]) / log(1 + _LONGEST_WORDS),
        features["structure"],
        features["vague_share"] / _MANY_VAGUE,
        features["n_constraints"] / _MANY_CONSTRAINTS,
        float(bool(has_code)),
        features["has_output_format"],
        float(features["n_examples"] > 0),
    ]
    return tuple(min(1.0, max(0.0, value)) for value in values)
