"""Text that was pasted into a prompt with nothing around it: where it stands, and its kind."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from ml_orchestrator.text.prompt_cues import TASK_VERBS
from ml_orchestrator.text.prompt_parts import Part, PromptParts, split_prompt
from ml_orchestrator.text.prompt_patterns import DATA_TAG

__all__ = ["Pasted", "pasted_in"]

_MOST_COLONS = 3  # of a sentence that are looked at
_MOST_BLANKS = 3  # between a sentence and the colon behind it
_COLON_BEHIND = re.compile(rf"[ \t]{{0,{_MOST_BLANKS}}}:")
_NOUN = (
    r"(?:texts?|e-?mails?|messages?|articles?|documents?|letters?|reviews?|comments?|"
    r"transcripts?|paragraphs?|"
    r"passages?|essays?|story|stories|poems?|reports?|contracts?|code|snippets?|posts?|"
    r"tweets?|notes?|logs?|data|"
    r"conversations?|speech|abstracts?|papers?|resumes?|cv|drafts?|tickets?|complaints?|"
    r"feedback|sentences?|"
    r"tables?|invoices?|policy|pages?|excerpts?|content|threads?|memos?|statements?|errors?|"
    r"quer(?:y|ies)|"
    r"function|scripts?|chat)"
)
_POINTS_AT_IT = re.compile(
    rf"\b(?:following|this|these) (?:[a-z-]+ )?{_NOUN}\b|\b{_NOUN} below\b|\bbelow[.!]?\Z"
)
_NAMED_BELOW = re.compile(rf"\bfollowing (?:[a-z-]+ )?({_NOUN})\b|\b({_NOUN}) below\b")
_NAMED_BEFORE_COLON = re.compile(
    rf"\b(?:following|this|these|my|our|the) (?:[a-z-]+ )?({_NOUN})(?: below| here)?"
    r"(?: (?:in|into|to|for|as|with|by)\b[^:]{0,80})?\Z"
)
_UNNAMED = re.compile(r"\b(?:below|the following|this)\Z|\btranslate\b.{0,40}?\b(?:in)?to [a-z]+\Z")
# What follows such a word is a list of wishes and not data.
_WISHES = re.compile(
    r"\b(?:format|form|fields|labels|categories|classes|rules|steps|criteria|points|aspects|"
    r"order|keys|columns|"
    r"structure|requirements|questions|headings|sections|topics|values|options|one of|either|"
    r"into|about)\b"
)
_WORKS_ON_TEXT = re.compile(
    r"\b(?:translate|proofread|summari[sz]e|rewrite|rephrase|paraphrase|edit|correct|shorten|"
    r"simplify|polish|explain)\b"
)
_NAMES_WISHES = re.compile(
    r"\b(?:extract|classify|categori[sz]e|label|find|list|identify|compare|check|answer|give|"
    r"write|rate|score|"
    r"evaluate|review|analy[sz]e|judge)\b"
)
_FEW_WORDS = 8
_LEADS = frozenset(("to", "you", "please", "kindly", "then", "now", "and", "just", ":", ",", ";"))
_WORD = re.compile(r"[a-z'-]+|[:,;]")
_SPACE = re.compile(r"\s*+")
_DASHES = re.compile(r"[-=*_~]{3,}[ \t]*$", re.MULTILINE)
_A_WISH = re.compile(
    r"[^.!?\n]{0,200}\b(?:must|should|ha(?:ve|s) to|needs? to|keep|leave|only|at (?:most|least)|"
    r"no more than|do not|don't|never|without)\b[^.!?\n]{0,200}[.!]?",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"\n[ \t]*+\n\s*+")
_SECTION = re.compile(
    r"(?:#{1,6} |<|(?:output|output format|format|constraints|details|examples|if unsure|"
    r"success criteria|how to work|role|data|task|"
    r"audience|length|context|tone|rules|count|time|technology|expected|observed)\s*:|"
    r"you are |the text in <|what stands in <|"
    r"before you finish|task, for the text)",
    re.IGNORECASE,
)
_LAST_WISH = re.compile(
    r"(?:return|answer|use|write|keep|do not|don't|never|only|limit|give|respond|reply|output|"
    r"list|summari[sz]e)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pasted:
    """Where pasted text may begin, and ``text[start:end]`` if it surely is data.

    ``start`` is also the end of what is surely the author's instructions. ``name`` is what the
    text is, such as ``email``; empty if what follows may be wishes too, and then ``end`` is the
    end of the prompt.
    """

    start: int
    end: int
    name: str


@lru_cache(maxsize=16)
def pasted_in(text: str) -> Pasted | None:
    """Return the text that a prompt announces and then holds without marks, or None.

    It is announced by a sentence that speaks of *the following* or *this* text or of the text
    *below*, or by a task that ends in a colon. What stands between tags, in a block of code or in
    quotes, or is a placeholder, is marked. What a line of dashes opens is too, and has no name.

    >>> found = pasted_in("Translate to French: Come, please.")
    >>> found and (found.name, "Translate to French: Come, please."[found.start : found.end])
    ('text', 'Come, please.')
    """
    parts = split_prompt(text)
    seen = parts.instructions
    borders = sorted(part.start for part in _borders(parts))
    for part in parts.of("sentence"):
        found = _after_colon(text, seen, borders, part) or _after_sentence(
            text, seen, borders, part
        )
        if found is not None:
            return found
    return None


def _borders(parts: PromptParts) -> Iterator[Part]:
    """Yield what marks data: elements, code, quotes, and placeholders at the end of a line."""
    yield from (*parts.data_elements, *parts.of("fence", "quote", "element"))
    for part in parts.of("placeholder"):
        rest = parts.text[part.end : part.end + 3].split("\n")[0]
        if not rest.strip(' ."'):
            yield part


def _after_colon(text: str, seen: str, borders: list[int], part: Part) -> Pasted | None:
    """Return what follows a task that ends in a colon."""
    if ":" not in seen[part.start : part.end + 1 + _MOST_BLANKS]:
        return None
    for end in _colons(seen, part):
        before = seen[part.start : end].lower()
        if not _has_task(before):
            continue
        start = _SPACE.match(text, end + 1).end()  # type: ignore[union-attr]  # matches anything
        at = bisect_left(borders, start)
        is_marked = at < len(borders) and borders[at] == start
        if start >= len(text.rstrip()) or is_marked:
            return None
        name = _name_before_colon(before, text, end, start)
        is_inline = "\n" not in text[end:start]
        if at < len(borders) or (is_inline and _PARAGRAPH.search(text.rstrip(), start)):
            name = ""  # what is behind the line that announces it may be the author's again
        return _ended(text, start, name, is_sure=True)
    return None


def _colons(seen: str, part: Part) -> Iterator[int]:
    """Yield the places of colons in a sentence and of the one that ends it."""
    found = re.finditer(r":(?=\s)", seen[part.start : part.end])
    yield from (part.start + match.start() for match in islice(found, _MOST_COLONS))
    if match := _COLON_BEHIND.match(seen, part.end):
        yield match.end() - 1
    elif seen[part.end - 1] == ":":
        yield part.end - 1


def _has_task(before: str) -> bool:
    words = _WORD.findall(before[:300])
    return any(
        word in TASK_VERBS and (i == 0 or words[i - 1] in _LEADS) for i, word in enumerate(words)
    )


def _name_before_colon(before: str, text: str, colon: int, start: int) -> str:
    before = before[-300:].rstrip()
    match = _NAMED_BEFORE_COLON.search(before)
    is_inline = "\n" not in text[colon:start]
    if is_inline and _NAMES_WISHES.search(before) and len(text[start:].split()) < _FEW_WORDS:
        return ""
    if re.match(r"[-*+•]\s|\d+[.)]\s", text[start : start + 6]):
        return ""
    if match:
        tail = before[match.end(1) :]
        lists_wishes = _WISHES.search(tail) or re.search(r"\bfollowing\b", before[: match.start()])
        return "" if lists_wishes or "following" in tail else match[1]
    if _UNNAMED.search(before) and _WORKS_ON_TEXT.search(before):
        return "text"
    return ""


def _after_sentence(text: str, seen: str, borders: list[int], part: Part) -> Pasted | None:
    """Return what follows a sentence that speaks of text below or of *this* text."""
    said = seen[part.start : part.end].lower()
    start = _SPACE.match(text, part.end).end()  # type: ignore[union-attr]  # matches anything
    if not _POINTS_AT_IT.search(said) or start >= len(text.rstrip()):
        return None
    if bisect_left(borders, part.start) < len(borders):
        return None
    match = _NAMED_BELOW.search(said)
    name = next(filter(None, match.groups()), "") if match else ""
    is_inline = "\n" not in text[part.end : start]
    if is_inline or _wishes_first(text, start):
        name = ""
    return _ended(text, start, name, is_sure=False)


def _wishes_first(text: str, start: int) -> bool:
    """Return whether one more sentence of the author may stand before the text."""
    first = _PARAGRAPH.search(text.rstrip(), start)
    return first is not None and _A_WISH.fullmatch(text, start, first.start()) is not None


def _ended(text: str, start: int, name: str, *, is_sure: bool) -> Pasted:
    """Return the text up to where the author's sections or last wish begin."""
    end = len(text.rstrip())
    if not name or _DASHES.match(text, start):  # by a line of dashes the author marks it
        return Pasted(start, end, "")
    begins = [start, *(match.end() for match in _PARAGRAPH.finditer(text, start, end))]
    for number, begin in enumerate(begins):
        is_wish = _LAST_WISH.match(text, begin) and begin == begins[-1]
        is_first_of_sure = is_sure and number == 0
        if not is_first_of_sure and (_SECTION.match(text, begin) or is_wish):
            end = len(text[:begin].rstrip())
            break
    if end <= start or "[FILL IN:" in text[start:end]:
        return Pasted(start, len(text.rstrip()), "")
    tag = name.replace("-", "")
    return Pasted(start, end, tag if DATA_TAG.fullmatch(tag) else "text")
