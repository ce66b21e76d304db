"""Details of what a prompt asks for, read from its own words: labels, fields, counts, forms."""

import re

from ml_orchestrator.optimization.reading import FILL, Reading
from ml_orchestrator.optimization.tasks import VERBS

__all__ = [
    "CREATIVE",
    "GENRE",
    "count_asked",
    "fields",
    "genre",
    "labels",
    "length_asked",
    "listed",
    "may_invent",
    "options",
    "several_targets",
    "source",
    "target",
]

_ITEM = r"[\"'“‘`*]{0,2}[A-Za-z][\w -]{0,40}?[\"'”’`*]{0,2}"
_LIST = re.compile(
    rf"({_ITEM}(?:, {_ITEM}){{0,12}}),? (?:and|or|vs\.?|versus) ({_ITEM})(?=[.,;:?!)\n]|$| (?:from|in|of|for|based|using|by|with|that|on|as|so|to|and)\b)"
)
_MORE = re.compile(
    rf" (?:and|or|vs\.?|versus) ({_ITEM})(?=[.,;:?!)\n]|$| (?:from|in|of|for|based|using|by|with|that|on|as|so|to|and|or)\b)"
)
_MOST_MORE = 12
_LABELS_AFTER = re.compile(
    r"\b(?:as|into|between|one of(?: the following)?|labels?(?: are)?|categories|classes|either)\b[: ]{1,2}"
    r"(?:one of(?: the following)?[: ]{1,2})?(?:the (?:labels|categories|classes)[: ]{1,2})?(?:either )?",
    re.IGNORECASE,
)
_OPTION_WORDS = 6
_BETWEEN = re.compile(
    r"^(?:(?:what|which|whether) )?(?:between |among )?(?:(?:the|a|an|its|their|all|any|each|every) )?",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"\b(?:from|in|out of|found|mentioned|contained|for each|of each)\b", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:the|a|an|its|their|all|any|each|every|his|her)\s+", re.IGNORECASE)
_NUMBER = r"(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)"
_LENGTH_UNIT = r"(?:words?|sentences?|paragraphs?|lines?|pages?|characters?|bullets?|bullet points?|stanzas?|verses?|slides?)"
_NO_NOUN = r"(?!(?:for|of|in|to|and|or|with|on|from|about|that|by|at|as|is|are|per|the|a|old)\b)"
_COUNT = re.compile(  # where the verb ends: the number and its noun are the verb's object
    rf"\s+(?:me |us |up with )?(?:exactly )?({_NUMBER})\s+((?:{_NO_NOUN}[a-z-]+ ){{0,2}}"
    rf"(?!{_LENGTH_UNIT}\b|days\b|weeks\b|months\b|years\b|hours\b|minutes\b){_NO_NOUN}[a-z-]+s)\b",
    re.IGNORECASE,
)
_YIELDS = frozenset(
    "list suggest propose name come give write draft create generate produce provide brainstorm make compose build prepare design".split()
)
_SPAN = (
    rf"(?:(?:at most|no more than|up to|fewer than|less than|under|within|at least|exactly|about|around|"
    rf"a maximum of|no longer than|between) )?(?:\d[\d,]*+|{_NUMBER})(?:(?: to |-|–| or | and )(?:\d[\d,]*+|{_NUMBER}))?[- ]{_LENGTH_UNIT}"
)
_ENDS = r"(?=[.,;:!?)\n]|\Z| or (?:less|fewer)| at most| max)"
_LENGTH = re.compile(
    rf"(?:\A|(?<=[.!?:\n] )|(?<=\n))(?:please )?(?:(?:keep|limit) (?:it|the [a-z]+|your [a-z]+) (?:to |at )?|use |in |length: |"
    rf"(?:it|the [a-z]+) (?:should|must) (?:be|have) )?({_SPAN}){_ENDS}"
)
_LENGTH_IN_TASK = re.compile(rf"\b(?:in|to) ({_SPAN}){_ENDS}|\A (?:me )?an? ({_SPAN})(?= [a-z])")
_MADE_UP = re.compile(
    r"\b(?:fake|dummy|mock|synthetic|fictional|fictitious|imaginary|made-up|sample data|random)\b",
    re.IGNORECASE,
)
_SAYS_LENGTH = re.compile(r"[<#*\s]*(?:length|details)\b")
_LANGUAGE = r"(?:[A-Z][a-z]+ )?[A-Z][a-z]+"
_TO_LANGUAGE = re.compile(rf"\b(?:in)?to ({_LANGUAGE})\b")
_SEVERAL_LANGUAGES = re.compile(
    rf"\b(?:in)?to (?:both )?{_LANGUAGE}(?:, {_LANGUAGE})*,? (?:and|or|then) (?:then )?(?:(?:in)?to )?[A-Z][a-z]+"
)
CREATIVE = frozenset(
    ("poem", "haiku", "song", "story", "toast", "limerick", "sonnet", "joke", "lyrics", "riddle")
)
_GENRES = (
    "blog post|press release|cover letter|product description|job description|job advert|"
    "landing page|social media post|linkedin post|tweet|thread|newsletter|email|e-mail|letter|"
    "essay|article|story|poem|speech|script|report|proposal|guide|tutorial|lesson|announcement|"
    "review|bio|biography|caption|ad|advert|memo|readme|documentation|release notes|faq|haiku|"
    "song|limerick|sonnet|joke|lyrics|riddle|obituary|toast|post|text|page|message|description|introduction|note"
)
GENRE = re.compile(rf"\b(?<!user )({_GENRES})s?\b", re.IGNORECASE)


def listed(text: str) -> tuple[str, ...]:
    """Return the members of the first list with *and* or *or*, without articles and quotes.

    >>> listed("the name, date and total amount from it")
    ('name', 'date', 'total amount')
    """
    match = _LIST.search(text)
    if match is None:
        return ()
    members = [*match[1].split(", "), match[2], *_more(text, match.end())]
    bare = (_ARTICLE.sub("", member.strip(" \"'“”‘’`*")) for member in members)
    return tuple(dict.fromkeys(member for member in bare if member))


def _more(text: str, end: int) -> list[str]:
    """Return what a list goes on with, if it says *and* again; a verb begins something else."""
    found: list[str] = []
    while len(found) < _MOST_MORE and (match := _MORE.match(text, end)):
        if match[1].split(maxsplit=1)[0].lower() in VERBS:
            break
        found.append(match[1])
        end = match.end()
    return found


def labels(reading: Reading) -> tuple[str, ...]:
    """Return the labels to choose among, as far as the prompt names them in one list."""
    for task in reading.tasks:
        if task.kind != "classify":
            continue
        match = _LABELS_AFTER.search(task.what)
        if match and (found := listed(task.what[match.end() :])):
            return found
    for match in _LABELS_AFTER.finditer(reading.text):
        after = reading.text[match.end() : match.end() + 300]
        if not FILL.search(after.split("\n")[0]):  # else a rule asks for them here
            found = listed(after)
            return found if len(found) > 1 else ()
    return ()


def fields(reading: Reading) -> tuple[str, ...]:
    """Return what is to be extracted, as far as the prompt lists it after the verb."""
    for task in reading.tasks:
        if task.kind in {"extract", "convert"}:
            what = task.what
            end = _FROM.search(what)
            found = listed(f"{what[: end.start()].rstrip() if end else what}.")
            if found:
                return found
            single = _ARTICLE.sub("", what[: end.start()].strip()) if end else ""
            if 0 < len(single) <= 40 and single.replace(" ", "").replace("-", "").isalpha():
                return (single,)
    return ()


def options(reading: Reading) -> tuple[str, ...]:
    """Return the options to decide between, as far as the prompt names them in one list.

    What has more than six words is no name of an option, and then the list is none of options.
    """
    for task in reading.tasks:
        if task.kind == "decide" and (found := listed(f"{_BETWEEN.sub('', task.what)}.")):
            is_of_names = all(len(each.split()) <= _OPTION_WORDS for each in found)
            return found if is_of_names else ()
    return ()


def count_asked(reading: Reading) -> str:
    """Return how many of what are asked for, such as ``5 ideas``, or an empty text.

    Only a number with its noun right after the verb counts: others say something else.
    """
    for task in reading.tasks:
        if task.verb.lower() in _YIELDS:
            after = task.at - task.start + len(task.verb)
            if match := _COUNT.match(task.sentence[after : after + 80]):
                return f"{match[1]} {match[2]}"
    return ""


def length_asked(reading: Reading) -> str:
    """Return the length that the author asks for, with its unit, or an empty text.

    Sections about form and the like are not looked at, since rules write such sections too.
    """
    for task in reading.tasks:
        after = task.at - task.start + len(task.verb)
        if match := _LENGTH_IN_TASK.search(task.sentence[after : after + 200].lower()):
            return match[1] or match[2]
    prose, at, pieces = reading.prose, 0, []
    for start, end in reading.side_sections:
        if start >= at and not _SAYS_LENGTH.match(prose, start):
            pieces.append(prose[at:start])
            at = end
    match = _LENGTH.search("\n".join((*pieces, prose[at:])))
    return match[1] if match else ""


def genre(reading: Reading) -> str:
    """Return what kind of text is to be written, such as ``email``, or an empty text."""
    for task in reading.tasks:
        if task.kind in {"write", "rewrite"} and (match := GENRE.search(task.what[:80])):
            return match[1].lower()
    return ""


def may_invent(reading: Reading) -> bool:
    """Say whether what is to be written need not be true: a poem or story, or made-up data."""
    made_up = reading.task and _MADE_UP.search(reading.task.sentence)
    return bool(made_up) or genre(reading) in CREATIVE


def target(reading: Reading) -> str:
    """Return the language to translate to, or an empty text if it is not one."""
    if several_targets(reading):
        return ""
    match = _TO_LANGUAGE.search(reading.task.sentence) if reading.task else None
    return match[1] if match else ""


def several_targets(reading: Reading) -> bool:
    """Say whether to translate to more than one language."""
    return bool(reading.task and _SEVERAL_LANGUAGES.search(reading.task.sentence))


def source(reading: Reading) -> str:
    """Return how to call what the task works on: ``the text in <email>``, ``the text``."""
    for part in reading.data:
        if part.kind == "element":
            return f"the text in <{part.name}>"
    return "the text"
