"""Whether a text repeats its examples or their answers instead of saying what to do."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["N_CHARACTERS", "N_WORDS", "copied_answers", "copied_passage", "estimated_tokens"]

N_WORDS = 5  # as many words in a row are a copy; fewer are ordinary language
N_CHARACTERS = 10  # the same of scripts that do not part words, or where a word is a character
MOST_LABELS = 10  # as many different answers, or half as many as examples, are a set to choose from
LEAST_ANSWERS = 5  # fewer may stand in a text by chance, as small numbers do
CHANCE_SHARE = 0.02  # of all answers; long lists of common words are met by chance more often
# Thai, Lao, Myanmar, Khmer, Hangul, kana, bopomofo, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_WHOLE_WORD = re.compile(r"\w+")
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


def copied_answers(text: str, answers: Sequence[str], *, allowed: str = "") -> list[str]:
    """Return the answers of single examples that ``text`` tells, where they are too many.

    Labels may be told: where there are at most 10 different answers, or half as many as examples,
    nothing is a copy; else an answer that several examples share is none. An answer is told where
    its words stand in the text one after another, between marks or spaces.

    Args:
        text: What was written.
        answers: One for each different input.
        allowed: What may tell them, such as the prompt that ``text`` came from.

    Returns:
        In order, each once; empty where there are fewer than 5, or than 2 % of the answers.

    >>> copied_answers("Known: 0, 7, 14, 21, 28.", [str(7 * k) for k in range(40)])
    ['0', '7', '14', '21', '28']
    >>> copied_answers("Say bug, idea or praise.", ["bug", "idea", "praise"] * 10)
    []
    """
    told, before = _spaced(text), _spaced(allowed)
    counts = Counter(_spaced(answer) for answer in answers)
    if len(counts) <= max(MOST_LABELS, len(answers) / 2):
        return []
    found = [
        each.strip()
        for each, n in counts.items()
        if n == 1 and each.strip() and each in told and each not in before
    ]
    return found if len(found) >= max(LEAST_ANSWERS, CHANCE_SHARE * len(answers)) else []


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text costs: words by six letters, every mark one.

    Of Han, kana, Hangul, Thai and their like every character is one. No tokenizer is asked, since
    each model has its own: compare such numbers with each other.

    >>> estimated_tokens("Summarise it, please."), estimated_tokens("退款需要三天")
    (6, 6)
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def _spaced(text: str) -> str:
    """Return the words of a text in lower case, a space before and after each."""
    return f" {' '.join(_WHOLE_WORD.findall(text.lower()))} "


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
