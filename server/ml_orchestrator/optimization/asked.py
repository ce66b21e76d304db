"""Details of what a prompt asks for, read from its own words: labels, fields, counts, forms."""

import re

from ml_orchestrator.optimization.reading import Reading

__all__ = [
    "GENRE",
    "count_asked",
    "fields",
    "genre",
    "labels",
    "listed",
    "options",
    "source",
    "target",
]

_ITEM = r"[\"'“‘`*]{0,2}[A-Za-z][\w -]{0,40}?[\"'”’`*]{0,2}"
_LIST = re.compile(
    rf"({_ITEM}(?:, {_ITEM}){{0,12}}),? (?:and|or|vs\.?|versus) ({_ITEM})(?=[.,;:?!)\n]|$| (?:from|in|of|for|based|using|by|with|that|on|as|so|to|and)\b)"
)
_LABELS_AFTER = re.compile(
    r"\b(?:as|into|between|one of(?: the following)?|labels?(?: are)?|categories|classes|either)\b[: ]{1,2}"
    r"(?:one of(?: the following)?[: ]{1,2})?(?:the (?:labels|categories|classes)[: ]{1,2})?(?:either )?",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"\b(?:from|in|out of|found|mentioned|contained|for each|of each)\b", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:the|a|an|its|their|all|any|each|every|his|her)\s+", re.IGNORECASE)
_COUNT = re.compile(
    r"\b(\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)\s+"
    r"((?:[a-z-]+ ){0,2}[a-z-]+s)\b",
    re.IGNORECASE,
)
_TO_LANGUAGE = re.compile(r"\b(?:in)?to ((?:[A-Z][a-z]+ )?[A-Z][a-z]+)\b")
_GENRES = (
    "blog post|press release|cover letter|product description|job description|job advert|"
    "landing page|social media post|linkedin post|tweet|thread|newsletter|email|e-mail|letter|"
    "essay|article|story|poem|speech|script|report|proposal|guide|tutorial|lesson|announcement|"
    "review|bio|biography|caption|ad|advert|memo|readme|documentation|release notes|faq|haiku|"
    "song|obituary|toast|post|text|page|message|description|introduction|note"
)
GENRE = re.compile(rf"\b({_GENRES})s?\b", re.IGNORECASE)


def listed(text: str) -> tuple[str, ...]:
    """Return the members of the first list with *and* or *or*, without articles and quotes.

    >>> listed("the name, date and total amount from it")
    ('name', 'date', 'total amount')
    """
    match = _LIST.search(text)
    if match is None:
        return ()
    members = [*match[1].split(", "), match[2]]
    bare = (_ARTICLE.sub("", member.strip(" \"'“”‘’`*")) for member in members)
    return tuple(dict.fromkeys(member for member in bare if member))


def labels(reading: Reading) -> tuple[str, ...]:
    """Return the labels to choose among, as far as the prompt names them in one list."""
    for task in reading.tasks:
        if task.kind != "classify":
            continue
        match = _LABELS_AFTER.search(task.what)
        if match and (found := listed(task.what[match.end() :])):
            return found
    match = _LABELS_AFTER.search(reading.text)
    found = listed(reading.text[match.end() : match.end() + 300]) if match else ()
    return found if len(found) > 1 else ()


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
    """Return the options to decide between, as far as the prompt names them in one list."""
    for task in reading.tasks:
        if task.kind == "decide" and (found := listed(f"{_ARTICLE.sub('', task.what)}.")):
            return found
    return ()


def count_asked(reading: Reading) -> str:
    """Return how many of what are asked for, such as ``5 ideas``, or an empty text."""
    for task in reading.tasks:
        if match := _COUNT.search(task.what[:80]):
            return f"{match[1]} {match[2]}"
    return ""


def genre(reading: Reading) -> str:
    """Return what kind of text is to be written, such as ``email``, or an empty text."""
    for task in reading.tasks:
        if task.kind in {"write", "rewrite"} and (match := GENRE.search(task.what[:80])):
            return match[1].lower()
    return ""


def target(reading: Reading) -> str:
    """Return the language to translate to, or an empty text."""
    match = _TO_LANGUAGE.search(reading.task.sentence) if reading.task else None
    return match[1] if match else ""


def source(reading: Reading) -> str:
    """Return how to call what the task works on: ``the text in <email>``, ``the text``."""
    for part in reading.data:
        if part.kind == "element":
            return f"the text in <{part.name}>"
    return "the text"
