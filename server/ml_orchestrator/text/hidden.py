"""Characters that a reader does not see, and how they are spelled out."""

import re
import sys
import unicodedata

__all__ = ["is_hidden", "restored", "spell_hidden", "unspelled", "without_hidden"]

# Characters that Python calls printable and a reader does not see: fillers, joiners, selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)
_REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PLAIN = re.compile("[\t\n -~]*")
_EMOJI = "\u203c-\u3299\U0001f000-\U0001faff"
_SPELLED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_JOINED_SCRIPTS = "\u0600-\u08ff\u0900-\u0dff"
# Hidden characters with an honest use: the look of an emoji, emoji joined into one, and the
# joiners that Persian and Indic words are spelled with.
_HONEST = re.compile(
    f"(?<=[\u00a9\u00ae{_EMOJI}#*0-9])[\ufe0e\ufe0f]"
    f"|(?<=[\ufe0f{_EMOJI}])\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_JOINED_SCRIPTS}])[\u200c\u200d](?=[{_JOINED_SCRIPTS}])"
)


def is_hidden(char: str) -> bool:
    """Whether a reader would not see this character; spaces and line ends count as hidden.

    >>> [is_hidden(char) for char in ("a", " ", "\u200b", "\ufe0f", "\u00a0", "é")]
    [False, False, True, True, True, False]
    """
    return not char.isprintable() or _UNSEEN.match(char) is not None


def spell_hidden(text: str) -> tuple[str, frozenset[str]]:
    r"""Return ``text`` with hidden characters spelled out, and the names of what was hidden.

    Spaces of every width, tabs, line feeds and honest uses (emoji, Persian, Hindi) stay.

    >>> spell_hidden("a\x00b ❤️")
    ('a\\x00b ❤️', frozenset({'control_characters'}))
    """
    if not (odd := _hidden_in(text)):
        return text, frozenset()
    honest = {match.start() for match in _HONEST.finditer(text)}
    found: set[str] = set()
    shown = []
    for at, char in enumerate(text):
        if char not in odd or at in honest:
            shown.append(char)
        else:
            found.add(_kind(char))
            shown.append(_spell(ord(char)))
    return "".join(shown), frozenset(found)


def unspelled(text: str) -> str:
    r"""Return ``text`` with one mark for each hidden character that is spelled out in it.

    It is as long as the text was before ``spell_hidden``, if nobody typed such a spelling out:
    ``\u200b`` of a writer looks like that of the cleaner. Spellings of characters that are seen,
    or as the cleaner does not write them, are text.

    >>> unspelled(r"a\u200bb \x41 \U0000200b")
    'a·b \\x41 \\U0000200b'
    """
    return _SPELLED.sub(_mark, text)


def restored(text: str) -> str:
    r"""Return ``text`` with the hidden characters that are spelled out in it, as ``unspelled``.

    >>> restored(r"a\u200bb \x41") == "a\u200bb " + r"\x41"
    True
    """
    return _SPELLED.sub(_hidden_of, text)


def _is_plain(text: str) -> bool:
    """Whether it is English without accents, line ends and tabs included."""
    return text.isascii() and (text.isprintable() or _PLAIN.fullmatch(text) is not None)


def _mark(spelled: re.Match[str]) -> str:
    return spelled[0] if _hidden_of(spelled) == spelled[0] else "·"


def _hidden_of(spelled: re.Match[str]) -> str:
    """Return the character that the cleaner spells so; the spelling itself if it spells none so."""
    number = int(spelled[0][2:], 16)
    is_ours = number <= sys.maxunicode and _spell(number) == spelled[0]
    return chr(number) if is_ours and _must_be_spelled(chr(number)) else spelled[0]


def without_hidden(text: str) -> str:
    """Return ``text`` as it looks, for a search in what its reader sees."""
    return text.translate({ord(char): None for char in _hidden_in(text)})


def _hidden_in(text: str) -> set[str]:
    """Return the hidden characters of ``text``; each kind of character is looked at once."""
    return set() if _is_plain(text) else {char for char in set(text) if _must_be_spelled(char)}


def _must_be_spelled(char: str) -> bool:
    if char in "\t\n" or not is_hidden(char):
        return False
    return _UNSEEN.match(char) is not None or unicodedata.category(char) != "Zs"


def _kind(char: str) -> str:
    if _REORDERING.match(char):
        return "reordering_characters"
    if unicodedata.category(char) == "Cc":
        return "control_characters"
    return "invisible_characters"


def _spell(number: int) -> str:
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
