"""What a prompt is made of: its parts with their places, found in linear time.

Code, placeholders, quoted data and addresses are *kept* parts: whoever rewrites a prompt leaves
them as they are. What is left is prose, in headings, labels, list items and sentences.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from ml_orchestrator.text.code_names import pieces_of
from ml_orchestrator.text.phrases import Token, tokens_of
from ml_orchestrator.text.prompt_patterns import (
    BLOCK_MARKS,
    DATA_TAG,
    FENCE,
    HEADING,
    INLINE_CODE,
    INSTRUCTION_TAG,
    LABEL,
    LINE_BREAKS,
    LIST_ITEM,
    NUMBER,
    OPENED_AGAIN,
    PLACEHOLDER,
    QUOTE,
    QUOTE_IN_MARKS,
    QUOTED_LINE,
    SENTENCE_END,
    TAG,
    URL,
    VOID_TAGS,
)

__all__ = ["KEPT_KINDS", "KINDS", "Part", "PromptParts", "split_prompt"]

KEPT_KINDS = ("fence", "inline_code", "quote", "placeholder", "url", "tag")
KINDS = (*KEPT_KINDS, "element", "heading", "label", "list_item", "sentence", "number")
_MASK = "\ufffc"  # no letter, no digit, no space: no pattern of prose finds it
_TRIPLE = '"""'


class Part(NamedTuple):
    """A part of a prompt: ``text[start:end]`` is what it looks like.

    ``name`` is the name of a tag or element, the text of a heading or label, or empty. A tuple,
    for a long prompt has thousands and they are sorted.
    """

    start: int
    end: int
    kind: str
    name: str = ""


@dataclass(frozen=True)
class PromptParts:
    """A prompt and its parts, in the order of their places; parts of several kinds may overlap.

    An ``element`` reaches from an opening tag to its closing one. A ``sentence`` never crosses a
    heading, a list item, a block of code or an empty line.
    """

    text: str
    parts: tuple[Part, ...]

    def of(self, *kinds: str) -> tuple[Part, ...]:
        """Return the parts of these kinds, in order."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], ())
        return tuple(sorted(part for kind in kinds for part in self._by_kind.get(kind, ())))

    def texts(self, *kinds: str) -> tuple[str, ...]:
        """Return what the parts of these kinds look like, in order."""
        return tuple(self.text[part.start : part.end] for part in self.of(*kinds))

    @cached_property
    def _by_kind(self) -> dict[str, tuple[Part, ...]]:
        found: dict[str, list[Part]] = {}
        for part in self.parts:
            found.setdefault(part.kind, []).append(part)
        return {kind: tuple(parts) for kind, parts in found.items()}

    @cached_property
    def prose(self) -> str:
        """The prompt with its kept parts blotted out, character for character.

        Places in it are places in ``text``; line ends stay.
        """
        return _masked(self.text, self.of(*KEPT_KINDS))

    @cached_property
    def instructions(self) -> str:
        """The prose without the insides of elements that hold data, as long as ``text``."""
        return _masked(self.prose, self.data_elements)

    @cached_property
    def tokens(self) -> list[Token]:
        """The words of the whole text."""
        return tokens_of(self.text)

    @cached_property
    def instruction_tokens(self) -> list[Token]:
        """The words of ``instructions``; one that is blotted out in part is none."""
        left = self.instructions
        if _MASK not in left:
            return self.tokens
        return [t for t in self.tokens if left[t[1]] != _MASK != left[t[2] - 1]]

    @cached_property
    def pieces(self) -> tuple[tuple[int, str], ...]:
        """What stands in the prose between spaces and brackets; see ``pieces_of``."""
        return pieces_of(self.prose)

    @cached_property
    def data_elements(self) -> tuple[Part, ...]:
        """Elements named as data, or not as a task and around a placeholder or 300 characters."""
        places = [part.start for part in self.of("placeholder")]
        return tuple(
            part
            for part in self.of("element")
            if not INSTRUCTION_TAG.search(part.name)
            and (
                part.end - part.start > 300
                or DATA_TAG.fullmatch(part.name)
                or _any_between(places, part.start, part.end)
            )
        )


def _any_between(places: list[int], start: int, end: int) -> bool:
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end


@lru_cache(maxsize=16)
def split_prompt(text: str) -> PromptParts:
    """Return the parts of a prompt. It takes any text, and time in proportion to its length.

    Those of the last texts are kept.

    >>> parts = split_prompt("Sum up {text} in 3 bullets. Don't quote `x`.")
    >>> [(part.kind, parts.text[part.start : part.end]) for part in parts.of(*KEPT_KINDS)]
    [('placeholder', '{text}'), ('inline_code', '`x`')]
    >>> parts.texts("sentence")
    ('Sum up {text} in 3 bullets.', "Don't quote `x`.")
    """
    kept = list(_fences(text)) if "```" in text or "~~~" in text else []
    left = _masked(text, kept)
    for kind, pattern, signs in (("inline_code", INLINE_CODE, "`"), ("url", URL, ("://", "@"))):
        if any(sign in left for sign in signs):
            kept += (found := [Part(*match.span(), kind) for match in pattern.finditer(left)])
            left = _masked(left, found)
    kept += (found := list(_triple_quotes(left)))
    left = _masked(left, found)
    elements, tags = _elements(left)
    kept += tags
    left = _masked(left, tags)
    kept += (found := [Part(*match.span(), "placeholder") for match in PLACEHOLDER.finditer(left)])
    left = _masked(left, found)
    quotes = QUOTE if QUOTED_LINE.search(left) else QUOTE_IN_MARKS
    kept += (
        found := [
            Part(match.start(), match.start() + len(match[0].rstrip()), "quote")
            for match in quotes.finditer(left)
        ]
    )
    left = _masked(left, found)
    blocks = [*_lines(left, HEADING, "heading"), *_lines(left, LABEL, "label")]
    items = [Part(*match.span(), "list_item") for match in LIST_ITEM.finditer(left)]
    numbers = [Part(*match.span(), "number") for match in NUMBER.finditer(left)]
    sentences = _sentences(_masked(text, kept), kept)
    return PromptParts(
        text, tuple(sorted([*kept, *elements, *blocks, *items, *numbers, *sentences]))
    )


def _masked(text: str, parts: Iterable[Part]) -> str:
    """Return ``text`` with these parts blotted out; line ends stay."""
    pieces, at = [], 0
    for part in sorted(parts):
        if part.end <= at:
            continue
        start = max(part.start, at)
        pieces.append(text[at:start])
        pieces.append("\n".join(_MASK * len(line) for line in text[start : part.end].split("\n")))
        at = part.end
    return "".join((*pieces, text[at:]))


def _fences(text: str) -> Iterator[Part]:
    """Yield blocks of code.

    One that starts a line and is never closed reaches to the end of the text; one that is opened
    at the end of a line of prose, and never closed, is none. Words after the closing mark are
    prose, and may open another one.
    """
    start, mark, is_inline = -1, "", False
    for match in FENCE.finditer(text):
        if not mark:
            mark, is_inline = match[1] or match[3], match[3] is not None
            start = match.end() - len(mark) - len(match[2] or match[4] or "")
        elif match[1] and match[1].startswith(mark) and len(match[2].split()) != 1:
            yield Part(start, match.end(1), "fence")
            again = OPENED_AGAIN.search(match[2])
            mark, is_inline = (again[1], True) if again else ("", False)
            start = match.start(2) + (again.start(1) if again else 0)
    if mark and not is_inline:
        yield Part(start, len(text.rstrip()), "fence")


def _triple_quotes(text: str) -> Iterator[Part]:
    at = text.find(_TRIPLE)
    while at >= 0 and (end := text.find(_TRIPLE, at + 3)) >= 0:
        yield Part(at, end + 3, "quote")
        at = text.find(_TRIPLE, end + 3)


def _elements(text: str) -> tuple[list[Part], list[Part]]:
    """Return elements and their tags. A lone ``<name>`` is no tag: it is a placeholder."""
    opened: dict[str, list[Part]] = {}
    elements, tags = [], []
    for match in TAG.finditer(text):
        name = match[2]
        part = Part(*match.span(), "tag", name)
        if match[1]:
            if opened.get(name):
                first = opened[name].pop()
                tags += [first, part]
                elements.append(Part(first.start, part.end, "element", name))
        elif match[3] or name.lower() in VOID_TAGS:
            tags.append(part)
        else:
            opened.setdefault(name, []).append(part)
    # A tag that is never closed mentions an element of this name, or is a placeholder.
    tags += [part for name in {part.name for part in elements} for part in opened[name]]
    return elements, tags


def _lines(text: str, pattern: re.Pattern[str], kind: str) -> Iterator[Part]:
    for match in pattern.finditer(text):
        yield Part(*match.span(), kind, match[1].strip().rstrip("#:*_ "))


def _sentences(prose: str, kept: Iterable[Part]) -> Iterator[Part]:
    """Yield sentences; what has no letter or digit outside of kept parts is none."""
    for start, end in _runs(prose, kept):
        at = start
        for match in SENTENCE_END.finditer(prose, start, end):
            yield from _trimmed(prose, at, match.end())
            at = match.end()
        yield from _trimmed(prose, at, end)


def _runs(prose: str, kept: Iterable[Part]) -> Iterator[tuple[int, int]]:
    """Yield pieces of text between what a sentence does not cross."""
    borders = [match.span() for match in BLOCK_MARKS.finditer(prose)]
    borders += [match.span() for match in LINE_BREAKS.finditer(prose)]
    borders += [(part.start, part.end) for part in kept if part.kind == "fence"]
    at = 0
    for start, end in sorted(borders):
        if start > at:
            yield at, start
        at = max(at, end)
    if at < len(prose):
        yield at, len(prose)


def _trimmed(prose: str, start: int, end: int) -> Iterator[Part]:
    piece = prose[start:end].lstrip()
    start, piece = end - len(piece), piece.rstrip()
    if piece[:1].isalnum() or any(map(str.isalnum, piece)):
        yield Part(start, start + len(piece), "sentence")
