"""The words of a text, for search and for telling what says the same.

Both databases index these words as they are, so that both find the same: small letters
without accents, numbers, every Chinese, Japanese, Korean or Thai letter and every emoji for
itself, English plurals made singular.
"""

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from ml_orchestrator.text.normal import normalized
from ml_orchestrator.text.signs import telling_signs

__all__ = ["near_key", "plain_words", "query_words", "words_of"]

MAX_WORD_CHARACTERS = 40
MAX_WORDS = 2_000
MAX_QUERY_WORDS = 16

_APART = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_APART}]|[^\\W_{_APART}]+|[\u2190-\u2bff\U0001f000-\U0001faff]")
_ASCII_WORD = re.compile("[a-z0-9]+")  # the same in plain English, three times as fast
_COMMON = frozenset(
    "a an and are as at be been by do does did for from had has have he her him his how i in is it "  # noqa: SIM905
    "its me my of on or our she so that the their them then there these they this to was we were "
    "what when which who will with you your".split()
)
# Words that carry no meaning of their own between two texts that say the same.
_FILLERS = frozenset(
    {"a", "an", "the", "is", "are", "was", "were", "be", "been", "of", "to", "that"}
)

# Signs that change what a number means, and the words they become.
_OF_NUMBERS = r"(?<!\w)[-\u2212](?=\d)|[<>\u2264\u2265%\u2260]"
_SIGN = re.compile(rf"(?<=\d)[.,](?=\d)|{_OF_NUMBERS}")
_COUNTED = re.compile(rf"(?<=\d)\.(?=\d)|{_OF_NUMBERS}")  # a comma is not told from it above
_SIGN_NAMES = {"<": " lt ", ">": " gt ", "\u2264": " le ", "\u2265": " ge ", "%": " pct ",
               "\u2260": " ne ", "-": "minus ", "\u2212": "minus "}  # fmt: skip


def words_of(*texts: str) -> list[str]:
    """Return the words of some texts in order, each as often as it stands there.

    >>> words_of("Gradient-boosted Trees: AUC 0.71 für 数据 🙂")
    ['gradient', 'boosted', 'tree', 'auc', '0', '71', 'fur', '数', '据', 'u1f642']
    """
    return [word for text in texts for word in _words(text)][:MAX_WORDS]


def plain_words(text: str) -> list[str]:
    """Return all words of a text in order, in small letters, without accents, plurals as they are.

    >>> plain_words("Trees: 数据 für alle")
    ['trees', '数', '据', 'fur', 'alle']
    """
    return list(_found((text,)))


def query_words(text: str) -> list[str]:
    """Return the distinct words to look for, without common ones unless there are no others.

    >>> query_words('the AUC of "trees" OR NEAR(auc*')
    ['auc', 'tree', 'near']
    """
    found = list(dict.fromkeys(words_of(text)))
    telling = [word for word in found if word not in _COMMON]
    return (telling or found)[:MAX_QUERY_WORDS]


def near_key(parts: Iterable[str]) -> str:
    """Return a key that is equal for texts that say the same.

    They have the same words and numbers in the same order; case, punctuation, accents, plurals
    and words like "the" do not count. Order, signs and decimal points do: trees that beat lines
    are not lines that beat trees. Without other signs than those of numbers the key is that of
    earlier releases.

    >>> near_key(["The trees beat lines, 0.71"]) == near_key(["trees beat LINES: 0.71"])
    True
    >>> near_key(["trees beat lines"]) == near_key(["lines beat trees"])
    False
    >>> near_key(["AUC changed by -0.02"]) == near_key(["AUC changed by 0.02"])
    False
    >>> near_key(["rows where a != b"]) == near_key(["rows where a == b"])
    False
    """
    said, signs = [], []
    for part in parts:
        said.append(
            "\x1f".join(w for w in words_of(_SIGN.sub(_name_sign, part)) if w not in _FILLERS)
        )
        signs.append(telling_signs(part, _COUNTED, _n_telling))
    if any(signs):
        said += ["", *signs]
    return hashlib.blake2b("\x1e".join(said).encode(), digest_size=16).hexdigest()


def _n_telling(text: str) -> int:
    return sum(word == "a" or word not in _FILLERS for word in _found((text,)))


def _name_sign(found: re.Match[str]) -> str:
    return _SIGN_NAMES.get(found[0], "point")


@functools.lru_cache(maxsize=16)  # a record's text is asked for twice: its words, and its key
def _words(text: str) -> tuple[str, ...]:
    return tuple([_singular(word) for word in _split(_plain(text))])


def _found(texts: Iterable[str]) -> Iterator[str]:
    return (word for text in texts for word in _split(_plain(text)))


def _split(plain: str) -> list[str]:
    return (_ASCII_WORD if plain.isascii() else _WORD).findall(plain)


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    spread = normalized("NFKD", text.casefold())
    bare = "".join(char for char in spread if not unicodedata.category(char).startswith("M"))
    return unicodedata.normalize("NFC", bare)


def _singular(word: str) -> str:
    word = word[:MAX_WORD_CHARACTERS]
    if len(word) == 1 and not word.isalnum():
        return f"u{ord(word):x}"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
    return word
