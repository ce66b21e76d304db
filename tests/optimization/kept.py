"""What a rewritten prompt must keep to the character, told anew beside the product's own check."""

import re
from collections import Counter
from collections.abc import Iterator

__all__ = ["missing"]

_EXACT = (
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"\{\{\w+\}\}|\$[A-Z]+\b|(?<!\{)\{\w+\}(?!\})|\[YOUR NAME\]"),
    re.compile(r'""".*?"""', re.DOTALL),
    re.compile(r"^>.*$", re.MULTILINE),
    re.compile(r"(?<!`)`[^`\n]+`(?!`)"),  # not from the end of a block to the next mark
    re.compile(r"\d+(?:\.\d+)?"),
    re.compile(r"\b(?:not|never|no|without|nothing)\b|n't\b", re.IGNORECASE),
    re.compile(r"https?://\S+"),
)


def missing(before: str, after: str) -> Iterator[str]:
    """Yield what stands in ``before`` more often than in ``after``, in small letters."""
    for pattern in _EXACT:
        lower = [text.strip().lower() for text in pattern.findall(before)]
        yield from Counter(lower) - Counter(text.strip().lower() for text in pattern.findall(after))
