"""The rule against padding."""

import re

from ml_orchestrator.optimization.own_words import begins_sentence, is_mentioned, is_name, own_prose
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding, apart, rule

__all__ = ["brevity", "paddings"]

# What is said, and what says the same; an empty replacement takes the padding out. Only words
# that carry no wish are touched.
_PADDING: tuple[tuple[str, str], ...] = (
    (
        r"(?:i was (?:just )?wondering if|i was hoping(?: that)?|i would (?:really )?appreciate it if|i'd appreciate it if) you (?:could|can|would|might)(?: please)? ",
        "",
    ),
    (r"(?:could|can|would|will) you (?:please |kindly |possibly )+", ""),
    (r"(?:i would|i'd) (?:really )?(?:like|love|want) (?:for )?you to (?:please )?", ""),
    (r"i (?:want|need) you to (?:please )?", ""),
    (r"(?:please|kindly)(?: go ahead and)?,? ", ""),
    (r"(?:basically|simply put|needless to say|quite frankly),? ", ""),
    (r"actually, |(?<=, )actually ", ""),  # elsewhere it tells what is from what is said
    (r"(?:take a moment to|feel free to|go ahead and) ", ""),
    (r"in order to ", "to "),
    (r"due to the fact that ", "because "),
    (r"at this point in time", "now"),
    (r"in the event that ", "if "),
    (r"for the purpose of ", "for "),
    (r"with (?:regards?|respect) to ", "about "),
    (r"a (?:large|great) number of ", "many "),
    (r"make use of ", "use "),
    (r"utili[sz]e ", "use "),
    (r"(?:really|very|quite) (?=(?:really|very|quite) )", ""),
)
_EACH = tuple((re.compile(rf"\b{said}"), new) for said, new in _PADDING)
_ONE = re.compile(rf"\b(?:{'|'.join(said for said, _ in _PADDING)})")  # which, is asked of a hit
_THANKS = re.compile(
    r"(?:\A|(?<=[.!?\n]))[ \t]*(?:thanks?(?: you)?(?: so much| very much| a lot)?(?: in advance)?(?: for your help)?|"
    r"i (?:really )?appreciate (?:it|your help)|i hope (?:this|that) makes sense|hello|hi(?: there)?)[.!,]*(?=\s|\Z)[ \t]*"
)
_NAME = re.compile(r"\n?[A-Z][\w&'-]*(?: [A-Z][\w&'-]*){0,2}\s*")
# What follows words that are themselves the matter: anywhere, and where they begin no sentence.
_NO_WISH = re.compile(r"(?:and|or|than|is|are|was|means?)\b|[?!.,;:)]|\Z")
_NO_WISH_INSIDE = re.compile(r"(?:to|into|with|from|by|as|of)\b")
_AFTER_NEGATION = re.compile(r"(?:\bnot|n't|\bnever|\bno|\bwithout)\s+\Z")


@rule("brevity", kind="word", order=10)
def brevity(reading: Reading) -> Finding | None:
    """Take out politeness and padding that cost tokens and change no answer.

    One polite word in a prompt that says more than its task costs next to nothing: it is named
    and left.
    """
    edits = paddings(reading)
    if not edits:
        return None
    words = ", ".join(repr(_said(reading, edit)) for edit in edits[:3])
    is_slight = len(edits) == 1 and not reading.takes_additions
    return Finding(
        f"{words} carries no wish; shorter wording says the same.",
        min(edit.start for edit in edits),
        max(edit.end for edit in edits),
        () if is_slight else tuple(edits),
        f"Is {words} needed? It carries no wish." if is_slight else "",
    )


def _said(reading: Reading, edit: Edit) -> str:
    """Return the padding without the letter that becomes a capital behind it."""
    text = reading.text[edit.start : edit.end]
    return (text[:-1] if len(edit.new) == 1 else text).strip()


def paddings(reading: Reading) -> list[Edit]:
    """Return the places of padding, each with what it becomes."""
    prose = own_prose(reading)
    edits = [
        Edit(*match.span(), "")
        for match in _THANKS.finditer(prose)
        if not _is_signature(reading, match)
    ]
    greeted = {edit.end for edit in edits}
    for match in _ONE.finditer(prose):
        if _is_padding(reading, prose, match):
            begins = match.start() in greeted or begins_sentence(prose, match.start())
            edits.append(_shorter(reading, match, begins=begins))
    return apart(edits)


def _is_padding(reading: Reading, prose: str, match: re.Match[str]) -> bool:
    """Say whether nobody denies, names or speaks of the words, and a wish can follow them."""
    start, end = match.span()
    if _AFTER_NEGATION.search(prose[max(0, start - 12) : start]) or is_name(reading, start):
        return False
    if match[0].endswith(" "):  # a wish, or what it is about, is to follow
        is_inside = not begins_sentence(prose, start)
        if _NO_WISH.match(prose, end) or (is_inside and _NO_WISH_INSIDE.match(prose, end)):
            return False
    return not is_mentioned(prose, start, end)


def _is_signature(reading: Reading, thanks: re.Match[str]) -> bool:
    """Say whether a name follows at the end, as in "Thanks, Dave"."""
    said, after = thanks[0].strip().lower(), reading.text[thanks.end() :]
    return said.startswith("thank") and _NAME.fullmatch(after) is not None


def _shorter(reading: Reading, match: re.Match[str], *, begins: bool) -> Edit:
    place, end = match.start(), match.end()
    new = next(new for said, new in _EACH if said.match(match.string, place))
    if begins and reading.text[place].isupper():
        follower = reading.text[end : end + 1]
        if new:
            new = new[0].upper() + new[1:]
        elif follower.isalpha():
            new, end = follower.upper(), end + 1
    return Edit(place, end, new)
