"""Whether a prompt is written in English, by its small words."""

import re

__all__ = ["is_english"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][a-z]+)?")
_ENGLISH = frozenset(
    "the of and to a an in is are for with your that on this you it as be or not from by at what "
    "how which who when where why will would should must can could each all any do does use if "
    "then write create make give list explain summarize summarise classify translate extract "
    "about into my me i we our their them there please help need want find build generate "
    "describe compare return answer only never always between".split()
)
_FOREIGN = frozenset(
    "der die das und ist nicht ein eine einen mit für auf dem den des zu im von bitte sie du wie "
    "schreibe erstelle fasse kurz le la les et est une un pour dans sur avec que qui des du ne pas "
    "vous tu écris résume el los las y es en una por para con del como se escribe resume haz o os "
    "e é um uma não com da do dos escreva il lo gli che di per non sono della scrivi het een van "
    "met niet op zijn och att som är det på skriv og ikke ve bir bu için nie jest się na".split()
) - {"a", "an", "in", "do", "me", "i", "on", "as", "is", "or"}
_SHARE_OF_OTHER_LETTERS = 0.2


def is_english(prose: str) -> bool:
    """Say whether ``prose`` is in English; without one English word it is not.

    >>> [is_english(text) for text in ("Sum up the text.", "Fasse den Text zusammen.", "总结文章")]
    [True, False, False]
    """
    words = [word.lower() for word in _WORD.findall(prose)]
    others = sum(len(word) for word in words if not word.isascii() and not _is_latin(word))
    if others > _SHARE_OF_OTHER_LETTERS * sum(map(len, words)):
        return False
    english = sum(word in _ENGLISH for word in words)
    return english > 0 and english >= sum(word in _FOREIGN for word in words)


def _is_latin(word: str) -> bool:
    return all(char < "\u0250" or char in "’" for char in word)
