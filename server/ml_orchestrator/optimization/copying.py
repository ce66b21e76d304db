"""Whether a text repeats its training examples word for word instead of saying what to do."""

import re
from collections.abc import Iterable, Iterator

__all__ = ["N_CHARACTERS", "N_WORDS", "copied_passage", "estimated_tokens"]

N_WORDS = 5  # as many words in a row are a copy; fewer are ordinary language
N_CHARACTERS = 10  # the same of scripts that do not part words, or where a word is a character
# Thai, Lao, Myanmar, Khmer, Hangul, kana, bopomofo, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]{{1,6}}|[^\w\s]")


def copied_passage(text: str, sources: Iterable[str], *, allowed: str = "") -> str | None:
    """Return the longest run of words that ``text`` shares with a source, or None.

    In Han, kana, Hangul, Thai and their like each character counts as a part of a word.

    Args:
        text: What was written.
        sources: What must not be repeated, such as training examples.
        allowed: What may be, such as the prompt that ``text`` came from.

    Returns:
        Its words in lower case, ``N_WORDS`` or more, or ``N_CHARACTERS`` of such scripts; where
        both are in it, it may end a character early.

    >>> copied_passage("Say: the cat sat on the mat!", ["The cat sat on the mat."])
    'the cat sat on the mat'
    >>> copied_passage("例如 退款需要三到五个工作日", ["退款需要三到五个工作日。"])
    '退款需要三到五个工作日'
    """
    words = _words(text)
    known = set(_runs(_words(allowed)))
    seen: set[tuple[str, ...]] = set()
    for source in sources:
        seen |= set(_runs(_words(source)))
    longest: list[str] = []
    begin, last = 0, -2
    for start, run in _runs_at(words):
        if run not in seen or run in known:
            continue
        begin, last = (begin if start == last + 1 else start), start
        if start + len(run) - begin > len(longest):
            longest = words[begin : start + len(run)]
    return _joined(longest) or None


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text costs: words by six letters, every mark one.

    Of Han, kana, Hangul, Thai and their like every character is one. No tokenizer is asked, since
    each model has its own: compare such numbers with each other.

    >>> estimated_tokens("Summarise it, please."), estimated_tokens("退款需要三天")
    (6, 6)
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def _words(text: str) -> list[str]:
    return [match.group().lower() for match in _WORD.finditer(text)]


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return (run for _, run in _runs_at(words))


def _runs_at(words: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield from each place the shortest run that is a copy if a source has it, too.

    A character of an unspaced script weighs as much of a run as its share in ``N_CHARACTERS``, a
    word as much as its share in ``N_WORDS``.
    """
    weights = [N_WORDS if _IS_UNSPACED.match(word) else N_CHARACTERS for word in words]
    weight, end = 0, 0
    for start in range(len(words)):
        while weight < N_WORDS * N_CHARACTERS and end < len(words):
            weight += weights[end]
            end += 1
        if weight < N_WORDS * N_CHARACTERS:
            return
        yield start, tuple(words[start:end])
        weight -= weights[start]


def _joined(words: list[str]) -> str:
    """Return words as a text: characters of unspaced scripts stand together."""
    told = ""
    for word in words:
        is_close = told and _IS_UNSPACED.match(told[-1]) and _IS_UNSPACED.match(word)
        told += word if is_close or not told else f" {word}"
    return told
