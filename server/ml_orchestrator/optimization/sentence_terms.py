"""What the model of parts sees in a sentence: its words, pairs of them, and its form."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType

__all__ = ["sentence_terms"]

MOST_WORDS = 60
_TOKEN = re.compile(r"\ufffc+|[a-z]+(?:['\u2019-][a-z]+)*|\d+(?:[.,:]\d+)*|->|=>|\u2192|[:;?!=/()]")
_SHORTEST_STEM = 4
# Words that stand for a class: what they have in common carries further than each of them.
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "layout": "table tables row rows column columns list lists bullet bullets line lines heading headings "
        "header title titles block blocks paragraph paragraphs section sections markdown json csv yaml xml html "
        "prose fence fenced file files page text plain template keys key fields field dash bold italics comma "
        "colon tabs numbered checklist diagram memo subject label score scores headline summary slide slides "
        "array object svg mermaid diff patch side top bottom beneath below above brackets capitals letter case",
        "order": "first second third then next last lastly finally before after afterwards begin start end open "
        "close lead followed follows follow until only order descending ascending worst cheapest",
        "reason": "think reason trace test check compare weigh compute calculate derive rule list work collect "
        "eliminate estimate verify consider convert divide multiply add sum plot bisect narrow steps step "
        "hypothesis hypotheses cause causes suspect suspects evidence working one each every",
        "deny": "no not never nothing nobody none neither nor without cannot avoid don't can't mustn't isn't "
        "refrain skip exclude omit ban banned forbidden out off",
        "must": "must should shall may has have need needs ought allowed required only always keep keeps stay "
        "stays remain remains survive survives unchanged untouched intact exactly throughout limit limits "
        "exceed within below under stick welcome taboo strictly",
        "doubt": "if unsure unclear uncertain unknown missing doubt doubtful ambiguous silent illegible "
        "unreadable blurred blank empty null guess guesses guessing assume assumed assumption assumptions "
        "sure certain confidence known contradict contradictory tie range unverified lacks lacking absent gap "
        "gaps conflicting disagree insufficient decide decided cannot unless open tell flag mark",
        "goal": "works worked succeed succeeds success successful good right ready done finished accept accepted "
        "satisfied happy judge judged criterion criteria passes pass correct enough able can could afterwards "
        "understand understands knows know once when retell repeat explain unaided result outcome goal",
        "people": "readers reader audience listeners listener visitors parents children pupils students learners "
        "beginners newcomers teenagers adults pensioners tourists commuters customers clients patients nurses "
        "engineers developers managers officers volunteers staff colleagues employees members guests families "
        "board donors experts laypeople teachers farmers public people those someone anyone who everyone whom "
        "juniors executives investors recipients recipient neighbours owners trainees",
        "we": "we our us ours my mine i me he she his her they their",
        "trade": "adviser advisor teacher editor lawyer nurse doctor engineer developer analyst writer "
        "journalist scientist specialist expert consultant coach planner chef architect designer translator "
        "manager editor clerk officer inspector reviewer technician mechanic librarian curator historian "
        "economist physician solicitor barrister accountant tutor guide host moderator critic author poet "
        "researcher statistician administrator strategist copywriter recruiter interviewer veteran "
        "professional professor senior seasoned experienced expertise experience background career years "
        "decades profession specialise specialize trained role persona",
        "unit": "word words sentence sentences paragraph paragraphs page pages character characters line lines "
        "stanza stanzas tweet lines bullet bullets points",
        "time": "minute minutes hour hours day days week weeks month months quarter year years term terms "
        "evening evenings morning afternoon weekend weekends session sessions lesson lessons monday tuesday "
        "wednesday thursday friday saturday sunday january february march april june july august september "
        "october november december deadline season",
        "number": "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty "
        "fifty sixty hundred thousand dozen half couple single",
        "size": "short brief long longer most least about around roughly within fewer less maximum exactly "
        "under between aim limit fit fits",
        "fault": "fails fail failed crash crashes error errors exception hangs freezes wrong instead expected "
        "observed silent twice breaks broken stops timeout slow leak leaks flickers prints returns raises "
        "throws nan nothing should ought though although yet",
        "shown": "example examples instance sample becomes become gives yields yield leads means counts turns "
        "like thus maps case cases pair",
        "give": "return returns reply respond answer give show send hand print present deliver output write "
        "state provide report put set format structure produce wrap sort",
        "ask": "write explain summarise summarize translate classify compare plan draft review analyse analyze "
        "fix debug find choose design suggest convert turn extract create build implement rewrite calculate "
        "recommend describe help advise assess brainstorm decide diagnose estimate",
        "data": "data instructions instruction untrusted content material commands command obey orders",
        "is": "is are was were has had have am been be will",
    }
)
_CLASS_OF: dict[str, tuple[str, ...]] = {}
for _name, _words in _CLASSES.items():
    for _word in dict.fromkeys(_words.split()):
        _CLASS_OF[_word] = (*_CLASS_OF.get(_word, ()), _name)
_SHORT, _LONG = 4, 16


def sentence_terms(sentence: str) -> frozenset[str]:
    """Return the terms of a sentence in small letters, what is kept blotted out by U+FFFC.

    ``w`` is a word without its ending, ``w v`` a pair, ``^`` what it begins with, ``#`` a class.

    >>> sorted(sentence_terms("no jargon."))
    ['#deny', '=short', '^#deny', '^no', 'jargon', 'no', 'no jargon']
    """
    tokens = [_plain(match[0]) for match in _TOKEN.finditer(sentence)][:MOST_WORDS]
    return frozenset(_terms(tokens))


def _plain(token: str) -> str:
    if token[0] == "\ufffc":
        return "<>"
    return "0" if token[0].isdigit() else token.replace("\u2019", "'")


def _terms(tokens: list[str]) -> Iterator[str]:
    words = [_stem(token) for token in tokens]
    classes = [_CLASS_OF.get(token, ()) for token in tokens]
    yield from words
    yield from (f"{one} {two}" for one, two in pairwise(words))
    for names in classes:
        yield from (f"#{name}" for name in names)
    yield from _pairs_of_classes(classes, tokens)
    if words:
        yield f"^{words[0]}"
        yield from (f"^#{name}" for name in classes[0])
        if len(words) > 1:
            yield f"^{words[0]} {words[1]}"
    if len(words) <= _SHORT:
        yield "=short"
    elif len(words) >= _LONG:
        yield "=long"


def _pairs_of_classes(classes: list[tuple[str, ...]], tokens: list[str]) -> Iterator[str]:
    """Yield a class with the one after it, such as a number and a unit, past one word between."""
    kinds = [("0",) if word == "0" else names for word, names in zip(tokens, classes, strict=True)]
    for gap in (1, 2):
        for left, right in zip(kinds, kinds[gap:], strict=False):
            yield from (f"#{one} #{two}" for one in left for two in right)


def _stem(word: str) -> str:
    """Return a word without a common ending."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM - 1:
            return word.removesuffix(ending)
    return word
