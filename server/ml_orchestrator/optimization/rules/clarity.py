"""The rule against words that leave open what is meant."""

import re

from ml_orchestrator.optimization.own_words import is_mentioned, is_name, own_prose
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Edit, Finding, apart, rule

__all__ = ["clarity", "vague_places"]

# Hedges: the wish is the same without them.
_HEDGE = (
    r"\b(?:try to|attempt to|do your best to|maybe |perhaps |possibly |"
    r"kind of |sort of |somehow |somewhat |more or less )"
)
# Words that stand for something only the author knows, with what to ask for.
_OPEN: tuple[tuple[str, str], ...] = (
    (
        r",? (?:etc\.?|and so on|and so forth|and (?:the )?(?:like|others|more stuff))(?=[\s.,;:!?)]|\Z)",
        "the rest of this list",
    ),
    (
        r"\b(?:and|or) (?:other )?(?:stuff|things)(?: like that)?\b|\bstuff like that\b",
        "what else, by name",
    ),
    (r"\b(?:stuff|some things)\b", "what exactly"),
    (
        r"\b(?:as (?:needed|appropriate|necessary)|where appropriate|if needed|when needed)\b",
        "when this applies",
    ),
    (r"\bthe usual (?:format|way|style|rules|suspects)\b", "what is usual here"),
    (
        r"\b(?:nice|good|great|cool|interesting|better|decent) (?=(?:one|way|job|result|answer|format|style|thing|quality|text)s?\b)",
        "",
    ),
)
_PLACES = re.compile("|".join((f"({_HEDGE})", *(f"({said})" for said, _ in _OPEN))))
_KEEPS_HEDGE = re.compile(
    r"(?:\bnot|n't|\bnever|\bno|\bwithout|\bto|\bthey|\bwho|\bwhat|\bwhich|\bthis|\bthat|\bany|\bsome|\bsame|"
    r"\ba|\bthe|\beach|\bevery|\bone)\s+\Z"
)
_IS_ASKED = re.compile(r" *+\[FILL IN:")
_GOES_ON = re.compile(r"[,;:?!]|\s+[a-z]")


def vague_places(reading: Reading) -> list[re.Match[str]]:
    """Return where the wording leaves open what is meant, and no mark asks for it yet."""
    prose = own_prose(reading)
    return [
        match
        for match in _PLACES.finditer(prose)
        if not _KEEPS_HEDGE.search(prose[max(0, match.start() - 12) : match.start()])
        and not is_mentioned(prose, *match.span())
        and not is_name(reading, match.start())
        and not _IS_ASKED.match(reading.text, match.end())
    ]


@rule("clarity", kind="word", order=20)
def clarity(reading: Reading) -> Finding | None:
    """Take out hedges, and ask the author what loose words stand for.

    In a prompt that says more than its task such a word may be meant as it is: it is asked about.
    """
    places = vague_places(reading)
    if not places:
        return None
    words = ", ".join(repr(match[0].strip(" ,")) for match in places[:3])
    is_written = reading.takes_additions
    return Finding(
        f"{words} leaves open what is meant; two readers would do two things.",
        places[0].start(),
        places[-1].end(),
        tuple(apart(_clearer(reading, match) for match in places)) if is_written else (),
        "" if is_written else f"What exactly is meant by {words}?",
    )


def _clearer(reading: Reading, match: re.Match[str]) -> Edit:
    if match.lastindex == 1:
        return _without(reading, *match.span())
    said = reading.text[match.start() : match.end()].rstrip(" ")
    what = _OPEN[(match.lastindex or 2) - 2][1] or f"what makes it {said}"
    ends = said.endswith(".") and not _GOES_ON.match(reading.text, match.end())
    mark = f"{said.removesuffix('.') if ends else said} {fill(what)}{'.' if ends else ''}"
    return Edit(match.start(), match.start() + len(said), mark)


def _without(reading: Reading, start: int, end: int) -> Edit:
    """Take a hedge out; what follows begins the sentence if the hedge did."""
    text = reading.text
    if text[start : start + 1].isupper():
        begin = end + (text[end : end + 1] == " ")
        return Edit(start, begin + 1, text[begin : begin + 1].upper())
    is_doubled = text[end : end + 1] == " " and text[start - 1 : start] in ("", " ", "\n")
    return Edit(start, end + is_doubled, "")
