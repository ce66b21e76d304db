"""What a prompt names: technologies, files, functions, people, quantities, dates and addresses.

Names come from lists and from how words look, so a name nobody listed can be missed. Time is
linear: patterns are bounded, and files and functions are told piece by piece between spaces.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple

from ml_orchestrator.analysis.gazetteer import (
    exact_spellings,
    given_names,
    names_with_dots,
    small_given_names,
    technology_phrases,
)
from ml_orchestrator.analysis.models import EntityKind
from ml_orchestrator.text.code_names import LONGEST_NAME, is_code_name, is_file_name
from ml_orchestrator.text.phrases import Token
from ml_orchestrator.text.prompt_parts import PromptParts

__all__ = ["Found", "find_entities"]


class Found(NamedTuple):
    """An entity and its place."""

    start: int
    end: int
    kind: EntityKind


_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    r"(?<![\w.])(?:"
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{1,2}[./]\d{1,2}[./](?:19|20)?\d{2}(?!\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\b\.?(?:,? (?:19|20)\d{{2}})?"
    rf"|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?(?!\d)(?:,? (?:19|20)\d{{2}})?"
    rf"|{_MONTH}\.? (?:19|20)\d{{2}}"
    r"|q[1-4](?: (?:19|20)\d{2}| of (?:19|20)\d{2})?(?!\w)"
    r"|(?:today|tomorrow|yesterday|tonight)\b"
    r"|(?:next|last|this|coming|past) (?:week|month|quarter|year|weekend|monday|tuesday|wednesday|"
    r"thursday|friday|saturday|sunday)\b"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
    r"|(?:19|20)\d{2}(?![\w%]|[.,]\d)"
    r")",
    re.IGNORECASE,
)
_UNIT = (
    r"(?:percent|per cent|(?:second|sec|minute|min|hour|day|week|month|quarter|year|word|sentence|"
    r"paragraph|page|character|line|token|bullet|item|example|step|point|row|column|user|customer|"
    r"request|replica|time|euro|dollar|pound|gram|kilo|degree)s?|bullet points?|people|million|"
    r"billion|thousand|(?:kilo)?met(?:er|re)s?|(?:milli)?lit(?:er|re)s?|"
    r"ms|µs|us|ns|s|h|kb|mb|gb|tb|kib|mib|gib|km|cm|mm|m|mg|kg|g|ml|l|hz|khz|mhz|ghz|kw|kwh|w|v|"
    r"usd|eur|gbp|k|x)"
)
_NUMBER_WORDS = frozenset((
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
    "twenty", "fifty", "hundred",
))  # fmt: skip
# The first three letters of what a date may begin with.
_DATE_STARTS = frozenset(
    "jan feb mar apr may jun jul aug sep oct nov dec tod tom yes ton nex las thi com pas "  # noqa: SIM905
    "mon tue wed thu fri sat sun".split()
)
_CURRENCIES = ("$", "€", "£", "¥")
_SIGNS = ("-", "+", "±", "\u2212")
_QUANTITY = re.compile(
    rf"(?<![\w.])[-+±\u2212]?[$€£¥]?\d{{1,18}}(?:[.,]\d{{1,18}}){{0,6}}(?:\s?%|[\s-]?{_UNIT}(?!\w))?"
    rf"|\b(?:{'|'.join(sorted(_NUMBER_WORDS))}) {_UNIT}(?!\w)",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\d{1,2}(?::\d{2}){1,2}(?!\d)(?:\s?[ap]\.?m\b)?|\d{1,2}\s?[ap]\.?m\b", re.IGNORECASE
)
_TITLES = ("Mr", "Mrs", "Ms", "Dr", "Prof", "Professor", "Sir", "Judge", "President")
_TITLE = re.compile(rf"\b(?:{'|'.join(_TITLES)})\b\.? ([A-ZÀ-Þ][\w'\u2019-]{{1,40}})")
_PART_KINDS: Mapping[str, EntityKind] = MappingProxyType(
    {"fence": "code", "url": "url", "placeholder": "placeholder"}
)
_NAME = re.compile(r"[A-ZÀ-Þ][a-zß-ÿ'\u2019-]{1,40}")
_NO_SURNAME = frozenset({"The", "I", "And", "Or", "But", "He", "She", "It", "They", "We", "You"})


def find_entities(parts: PromptParts, tokens: Sequence[Token]) -> list[Found]:
    """Return what the prompt names, in order of place, without overlaps.

    ``tokens`` are the words of the whole text. Where two claim the same place, code and addresses
    come before files and functions, these before dates, quantities, technologies and people.
    """
    words = {word for word, _, _ in tokens}
    claims: list[Found] = []
    claims += _of_parts(parts)
    claims += _pieces(parts)
    claims += _dates(parts.prose, tokens, words)
    claims += _technologies(parts.prose, tokens)
    claims += _quantities(parts.prose, tokens, words)
    claims += _people(parts.prose, tokens, words)
    return _without_overlaps(claims, len(parts.text))


def _of_parts(parts: PromptParts) -> Iterator[Found]:
    for part in parts.of("fence", "inline_code", "url", "placeholder"):
        kind = _PART_KINDS.get(part.kind)
        if kind is None:
            inner = parts.text[part.start : part.end].strip("`").strip()
            kind = _kind_of_name(inner.removesuffix("()"), is_called=inner.endswith("()")) or "code"
        yield Found(part.start, part.end, kind)


def _pieces(parts: PromptParts) -> Iterator[Found]:
    """Yield files, functions and names in code, told by how the text between spaces looks."""
    prose = parts.prose
    for start, piece in parts.pieces:
        end = start + len(piece)
        is_called = prose.startswith("(", end)
        if not is_called and piece[1:].islower() and piece.isalpha():
            continue  # a plain word, like most
        is_called = is_called and not prose.startswith("(s)", end)
        kind = _kind_of_name(piece, is_called=is_called)
        if kind:
            yield Found(start, end, kind)


def _kind_of_name(name: str, *, is_called: bool) -> EntityKind | None:
    if len(name) > LONGEST_NAME or not any(map(str.isalpha, name)):
        return None
    if name.lower() not in names_with_dots() and is_file_name(name):
        return "file"
    if is_called and _IDENTIFIER.fullmatch(name):
        return "function"
    return "code" if is_code_name(name) else None


def _starts_of(
    tokens: Sequence[Token], words: Set[str], is_one: Callable[[str], bool]
) -> list[int]:
    """Return where words of a kind begin; each different word is asked about once."""
    kind = set(filter(is_one, words))
    return [start for word, start, _ in tokens if word in kind]


def _dates(prose: str, tokens: Sequence[Token], words: Set[str]) -> Iterator[Found]:
    for start in _starts_of(
        tokens, words, lambda word: word[:3] in _DATE_STARTS or word[0] == "q" or word[0].isdigit()
    ):
        match = _DATE.match(prose, start)
        if match:
            yield Found(*match.span(), "date")


def _quantities(prose: str, tokens: Sequence[Token], words: Set[str]) -> Iterator[Found]:
    free = 0
    for start in _starts_of(tokens, words, lambda word: word in _NUMBER_WORDS or word[0].isdigit()):
        if start < free:
            continue
        if clock := _CLOCK.match(prose, start):
            free = clock.end()
            continue
        match = _QUANTITY.match(prose, _with_signs(prose, start))
        if match and not (match[0].isdigit() and _is_after_name(prose, start)):
            free = match.end()
            yield Found(*match.span(), "quantity")


def _is_after_name(prose: str, start: int) -> bool:
    """Return whether a number is a line or a port: a colon and a name stand right before it."""
    return prose[start - 1 : start] == ":" and prose[max(0, start - 2) : start - 1].isalnum()


def _with_signs(prose: str, start: int) -> int:
    """Return where a number begins, the sign of a currency and plus or minus included."""
    if prose[start - 1 : start] in _CURRENCIES:
        start -= 1
    before, sign = prose[max(0, start - 2) : start - 1], prose[start - 1 : start]
    return start - 1 if sign in _SIGNS and not before.isalnum() else start


def _technologies(prose: str, tokens: Sequence[Token]) -> Iterator[Found]:
    exact = exact_spellings()
    for hit in technology_phrases().find(prose, tokens):
        if hit.label == "loose" or prose[hit.start : hit.end] in exact:
            yield Found(hit.start, hit.end, "technology")


def _people(prose: str, tokens: Sequence[Token], words: Set[str]) -> Iterator[Found]:
    """Yield a title and a name, and a listed given name with words with a capital after it."""
    if not words.isdisjoint(map(str.lower, _TITLES)):
        yield from (Found(*match.span(), "person") for match in _TITLE.finditer(prose))
    names, known = given_names(), words & small_given_names()
    for number in [number for number, (word, _, _) in enumerate(tokens) if word in known]:
        _, start, end = tokens[number]
        if prose[start:end] in names:
            last = _last_of_name(prose, tokens, number)
            if last > number:
                yield Found(start, tokens[last][2], "person")


def _last_of_name(prose: str, tokens: Sequence[Token], first: int) -> int:
    last = first
    for number in range(first + 1, min(first + 3, len(tokens))):
        _, start, end = tokens[number]
        word = prose[start:end]
        if (
            prose[tokens[last][2] : start] != " "
            or word in _NO_SURNAME
            or not _NAME.fullmatch(word)
        ):
            break
        last = number
    return last


def _without_overlaps(claims: Iterable[Found], size: int) -> list[Found]:
    """Return the claims in order of place; of two that overlap, the one that came first stays."""
    taken, kept = bytearray(size), []
    for claim in claims:
        if claim.end > claim.start and not any(taken[claim.start : claim.end]):
            taken[claim.start : claim.end] = b"\x01" * (claim.end - claim.start)
            kept.append(claim)
    return sorted(kept)
