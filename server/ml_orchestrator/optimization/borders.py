"""How a prompt shows where the data begin and end that take a placeholder's place."""

import re

from ml_orchestrator.text.prompt_parts import Part

__all__ = ["fills_tags", "has_borders"]

_OPENING_TAG = re.compile(r"<([A-Za-z][\w:.-]{0,60})>\s*$")
_CLOSING_TAG = re.compile(r"\s*</([A-Za-z][\w:.-]{0,60})>")
_ROW_OF_SIGNS = re.compile(r"([^\w\s])\1{2,}")
_SIGNS = re.compile(r"([^\w\s])\1+")
_END_OF_DATA = re.compile(
    r"\W{0,8}end\b[^.!?\n]{0,40}$|[^\w\s]{3,}[^.!?\n]{0,40}\bend\b[^.!?\n]{0,20}$|\[/",
    re.IGNORECASE,
)


def fills_tags(text: str, part: Part) -> bool:
    """Say whether a placeholder is all that stands between a tag and the tag that closes it."""
    before = _OPENING_TAG.search(text[max(0, part.start - 100) : part.start])
    after = _CLOSING_TAG.match(text, part.end)
    return before is not None and after is not None and before[1] == after[1]


def has_borders(text: str, part: Part) -> bool:
    """Say whether a placeholder is a border itself, or has one before and one after it.

    The line before and the line after it are rows of signs, or the one after it says ``end`` or
    closes a tag in brackets, or both begin with the same signs. A heading before the last thing in
    a prompt will do.
    """
    if _is_border(text, part):
        return True
    before = text[: part.start].rstrip().rpartition("\n")[2].strip()
    after = text[part.end :].lstrip().partition("\n")[0].strip()
    if _ROW_OF_SIGNS.fullmatch(before):
        return _ROW_OF_SIGNS.fullmatch(after) is not None
    signs = _SIGNS.match(before)
    if signs is not None and after.startswith(signs[0]):
        return True
    if before.startswith("#") and not text[part.end :].strip():
        return True
    return bool(before) and _END_OF_DATA.match(after) is not None


def _is_border(text: str, part: Part) -> bool:
    """Say whether a mark in brackets opens or closes what stands between ``[X]`` and ``[/X]``."""
    mark = text[part.start : part.end]
    return mark.startswith("[/") or (mark.startswith("[") and f"[/{mark[1:]}" in text)
