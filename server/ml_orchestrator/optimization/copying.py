"""Whether a text repeats its examples or their answers instead of saying what to do."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

__all__ = ["N_CHARACTERS", "N_WORDS", "copied_answers", "copied_passage", "estimated_tokens"]

N_WORDS = 5  # as many words in a row are a copy; fewer are ordinary language
N_CHARACTERS = 10  # the same of scripts that do not part words, or where a word is a character
MOST_LABELS = 10  # as many different answers, or half as many as examples, are a set to choose from
LEAST_ANSWERS = 5  # fewer may stand in a text by chance, as small numbers do
CHANCE_SHARE = 0.02  # of all answers; long lists of common words are met by chance more often
LEAST_LISTED = 3  # answers in a row make a list
MOST_APART = 4  # parts from an answer to the next: of "Q: ... A: ..." three stand between
# Thai, Lao, Myanmar, Khmer, Hangul, kana, bopomofo, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_LINE_NUMBER = re.compile(r"(?m)^[ \t>#*_+•-]*\(?\d{1,3}[.):][*_]*(?=[ \t]+\S)")
_NUMBERS_APART = re.compile(r"(?<=\d)\s+(?=\d)")
_SENTENCE_BREAK = re.compile(r"\n|(?<=[.!?])\s+|(?<=[。\uff01\uff1f])")
_SENTENCE_ENDS = (".", "!", "?", "。", "\uff01", "\uff1f")
_PART_BREAK = re.compile(r"[,;:|/=→()\[\]\uff0c、\uff1b\uff1a・]|[-=]>|\b(?:and|or)\b")
_FEW_KANA = re.compile(r"[\u3041-\u309f]{1,3}")
# What prompts hold anyway, beside words of up to three letters.
_COMMON_WORDS = """
    about above according after again along also always another answer answers anything around
    article asked back based because before begin below best better between both brief category
    change check choose class clear code come common complete compute consider contain content
    context correct count data date describe detail different does done down each easy either else
    empty every exact exactly example examples explain expected extract fact false field final
    find first five following form format found four from full give given good have help here high
    idea important include information input instead instruction into item just keep kind know
    known label language last least length less letter like line list long look made make many
    match mean meaning mention message more most much must name need never next none note nothing
    null number object once only order other output over page paragraph part passage people person
    phrase place plain please point possible problem prompt question read reader reason reply
    request respond response result return review right rule said same second section select
    sentence short should show simple since single small some sort source speak start state step
    steps still story subject such summary sure table take task tell term text than that their
    them then there these they thing think third this those three through time title today tone
    topic translate true type under unknown until used user valid value very want well were what
    when where whether which while whole will with without word words work world would write
    written wrong year your
    一个 不是 什么 以下 内容 判断 句子 可以 单词 名字 回答 如果 问题 文本
    文章 答案 阅读 需要 質問 単語
"""
_COMMON = frozenset(_COMMON_WORDS.split())
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
    its words stand in the text one after another, between marks or spaces; in scripts that do not
    part words, wherever its characters do. Answers of one or two digits and very short or common
    words are told in a list alone: three in a row, parted by commas or the like, the questions
    between them or not. Numbers that open a line of a list are not looked at.

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
    counts = Counter(_spaced(answer) for answer in answers)
    if len(counts) <= max(MOST_LABELS, len(answers) / 2):
        return []
    looked_at = _LINE_NUMBER.sub("", text)
    told, before = _spaced(looked_at), _spaced(_LINE_NUMBER.sub("", allowed))
    listed = _listed(looked_at, counts)
    found = [
        _joined(each.split())
        for each, n in counts.items()
        if n == 1 and each.strip() and each not in before
        if each in listed or (each in told and not _is_met_by_chance(each))
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
    return f" {' '.join(_words(text))} "


def _is_met_by_chance(answer: str) -> bool:
    """Whether a spaced answer is so short or common that texts hold it anyway."""
    words = answer.split()
    joined = "".join(words)
    if joined.isdigit():
        return len(joined) <= 2
    if _IS_UNSPACED.search(joined):
        return len(joined) == 1 or joined in _COMMON or bool(_FEW_KANA.fullmatch(joined))
    return len(joined) <= 2 or all(w in _COMMON or (len(w) <= 3 and w.isalpha()) for w in words)


def _listed(text: str, answers: Collection[str]) -> set[str]:
    """Return the spaced answers that stand in a list of them, perhaps with questions between."""
    found, run, last = set[str](), set[str](), 0
    for place, part in enumerate(_parts(text)):
        if part not in answers:
            continue
        run = {*run, part} if place - last <= MOST_APART else {part}
        last = place
        if len(run) >= LEAST_LISTED:
            found |= run
    return found


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the marks of lists, spaced; a sentence without any is empty."""
    for line in _SENTENCE_BREAK.split(_NUMBERS_APART.sub(", ", text)):
        parts = [spaced for part in _PART_BREAK.split(line) if (spaced := _spaced(part)).strip()]
        is_sentence = len(parts) == 1 and line.rstrip().endswith(_SENTENCE_ENDS)
        yield from ("",) if is_sentence else parts


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
