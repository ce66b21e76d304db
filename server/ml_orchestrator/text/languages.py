"""Which language a text is probably in: its script, and the small words of languages in Latin."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import NamedTuple

from ml_orchestrator.text.prompt_cues import TASK_VERBS

__all__ = ["Language", "guess_language"]

MAX_CHARACTERS = 4_000
MAX_WORDS = 400
_MIN_HITS = 2
_IS_MIXED = 0.2

# Scripts by their ranges; kana and hangul tell Japanese and Korean from Chinese.
_SCRIPTS = {
    "latin": "A-Za-zÀ-ɏ",
    "cyrillic": "Ѐ-ӿ",
    "greek": "Ͱ-Ͽ",
    "hebrew": "֐-׿",
    "arabic": "؀-ۿݐ-ݿ",
    "devanagari": "ऀ-ॿ",
    "thai": "฀-๿",
    "kana": "\u3040-\u30ff",
    "hangul": "\uac00-\ud7af\u1100-\u11ff",
    "han": "\u3400-\u4dbf\u4e00-\u9fff",
}
_BY_SCRIPT = {
    "greek": "el", "hebrew": "he", "arabic": "ar", "devanagari": "hi", "thai": "th",
    "kana": "ja", "hangul": "ko", "han": "zh",
}  # fmt: skip
_SMALL_WORDS = {
    "en": (
        "the of and to in is for with that this you on are be it as your from how what my "
        "a i an we write please do not or by at which who when where why will would should must "
        "can could each all any if then there into about between them their our us these those "
        "need want only never always more than now so but have has me no next out"
    ),
    "de": (
        "der die das und ist nicht ein eine einen für mit auf den dem zu von im wie ich "
        "du sie bitte es wir wird auch über schreibe erkläre bei oder an so will fasse"
    ),
    "fr": (
        "le la les des et est une un pour dans que qui sur avec ce pas vous je au du en "
        "ne nous par plus comment écris mon a on or me résume"
    ),
    "es": (
        "el la los las y es una un para con que por del en se no como más mi lo su al "
        "este está escribe qué cómo sobre a me al e haz resume traduce"
    ),
    "pt": (
        "o os as e é uma um para com que por do da em não como mais meu no na ao você "
        "escreva dos sobre isso a me faça resuma traduza este"
    ),
    "it": (
        "il lo gli e è una un per con che di del della in non come più mio si al sono nel "
        "scrivi questo i a da me no all scrivi riassumi"
    ),
    "nl": (
        "de het een en is van voor met niet dat op zijn te ik je aan maar ook wat hoe "
        "schrijf mijn naar bij of will in me over"
    ),
    "sv": "och det att en ett är som på för med inte av jag du den har till om hur skriv kan i man",
    "da": "og det at en et er som på for med ikke af jeg du den har til om hvordan skriv kan i de",
    "pl": (
        "i w na z się nie jest to że do jak dla oraz od po czy co napisz mój lub są o a za we by "
        "ma sprawie"
    ),
    "cs": (
        "a v na z se je to že do jak pro od po co nebo jsou o i s si za k by ale tak jako napiš "
        "mi ve mé můj přelož"
    ),
    "hu": "a az és hogy nem is egy van ez meg de ha csak vagy mint írj kérlek nekem szöveget at",
    "ro": "și în de la cu pe un o nu este care pentru din mai să ca sau scrie a al ce",
    "fi": "ja on ei se että kun mutta ovat kuin tai kirjoita minun tämä joka myös niin",
    "tr": "ve bir bu için ile de da ne nasıl gibi çok daha olarak mi bana yaz ben var olan",
}
_CODES: dict[str, set[str]] = {}
for _code, _words in _SMALL_WORDS.items():
    for _word in _words.split():
        _CODES.setdefault(_word, set()).add(_code)
# Words of other languages too: as the first word alone they speak for English.
_SHARED_VERBS = frozenset(
    "analyse code compare compile complete design document explore export extend filter format "  # noqa: SIM905
    "import label list log map note plan plot point port profile program separate set simulate "
    "state support tell test train use".split()
)
_ONLY_ENGLISH = {word for word, codes in _CODES.items() if codes == {"en"}}
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
_ACCENTED = re.compile("[À-ÖØ-öø-ɏ]")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")


class Language(NamedTuple):
    """A guess. ``code`` is of ISO 639-1, or ``und`` where nothing tells; ``share`` is 0 to 1.

    ``share`` is the part of the letters (of the small words, in Latin letters) that speaks for
    the guess; ``is_mixed`` says that a second script has at least a fifth of the letters.
    """

    code: str
    share: float
    is_mixed: bool


def guess_language(text: str, words: Iterable[str]) -> Language:
    """Return the probable language of a text from its beginning.

    That is its first 4,000 characters and 400 words; ``words`` are in small letters.

    >>> guess_language("Erkläre mir die Ursache", ["erkläre", "mir", "die", "ursache"]).code
    'de'
    """
    head = text[:MAX_CHARACTERS]
    counts = _letters_by_script(head)
    n_letters = sum(counts.values())
    if not n_letters:
        return Language("und", 0.0, is_mixed=False)
    counts = _kana_with_han(counts)
    script, n = max(counts.items(), key=lambda item: item[1])
    is_mixed = any(
        other >= _IS_MIXED * n_letters for name, other in counts.items() if name != script
    )
    if script == "latin":
        code, share = _by_words(words)
        return Language(code, share, is_mixed)
    code = _cyrillic(head) if script == "cyrillic" else _BY_SCRIPT[script]
    return Language(code, n / n_letters, is_mixed)


def _letters_by_script(text: str) -> dict[str, int]:
    if text.isascii():
        return {"latin": len(text.encode().translate(None, _NO_LETTERS))}
    return {name: len(letters.findall(text)) for name, letters in _letters().items()}


@cache
def _letters() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}


def _kana_with_han(counts: dict[str, int]) -> dict[str, int]:
    """Count Chinese letters as Japanese where a tenth as many kana stand beside them."""
    kana, han = counts.get("kana", 0), counts.get("han", 0)
    if kana and kana >= han / 10:
        return {**counts, "kana": kana + han, "han": 0}
    return counts


def _cyrillic(text: str) -> str:
    return "uk" if _UKRAINIAN.search(text) else "ru"


def _by_words(words: Iterable[str]) -> tuple[str, float]:
    """Return the language of most small words; task verbs speak for English, accents against.

    English has a tie only by a word that no other language here has.
    """
    hits: Counter[str] = Counter()
    n_small, n_only_english = 0, 0
    first, *rest = list(islice(words, MAX_WORDS)) or [""]
    told = [(first, 1, _codes_of(first, is_first=True))]
    told += [(word, n, _codes_of(word, is_first=False)) for word, n in Counter(rest).items()]
    for word, count, codes in told:
        n_small += count * bool(codes)
        n_only_english += word in _ONLY_ENGLISH
        for code in sorted(codes):  # of two alike the first stays
            hits[code] += count
        if not word.isascii() and _ACCENTED.search(word):
            hits["en"] -= count
    hits = +hits
    if not hits:
        return "und", 0.0
    best, n = max(
        hits.items(), key=lambda item: (item[1], (item[0] == "en") == (n_only_english > 0))
    )
    return (best, n / n_small) if n >= _MIN_HITS or n_small == 1 else ("und", n / n_small)


def _codes_of(word: str, *, is_first: bool) -> set[str]:
    codes = _CODES.get(word, set())
    if word in TASK_VERBS and (is_first or word not in _SHARED_VERBS):
        return codes | {"en"}
    return codes
