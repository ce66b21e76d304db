"""The rule that a prompt asks for something."""

import re

from ml_orchestrator.optimization.asked import GENRE
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["task"]

_FEW_WORDS = 20
_ARTICLE = re.compile(r"(?:an?|the|some|\d+) ", re.IGNORECASE)
_OPENING = re.compile(r"(?:[\w'-]+ ){0,4}")
_PROHIBITION = re.compile(
    r"\s*(?:please )?(?:do not|don['\u2019]t|never|avoid|stop)\b", re.IGNORECASE
)
_REASON = "No instruction or question says what to do."


@rule("task", kind="add", order=22)
def task(reading: Reading) -> Finding | None:
    """Open with a verb: say what to do, not only what it is about."""
    if reading.asks or not reading.prose.strip() or _only_forbids(reading):
        return None
    begin = len(reading.text) - len(reading.text.lstrip())
    genre = GENRE.search(reading.prose, begin, begin + 60)
    if (
        genre
        and reading.n_words <= _FEW_WORDS
        and _OPENING.fullmatch(reading.prose, begin, genre.start())
    ):
        first = reading.text[begin:].split(maxsplit=1)[0]
        article = "" if _ARTICLE.match(reading.text, begin) else "a "
        new = first[0] if first[1:2].isupper() else first[0].lower()
        edit = Edit(
            begin, begin + 1, f"Write {'an ' if article and new in 'aeio' else article}{new}"
        )
        return Finding(_REASON, begin, genre.end(), (edit,))
    return added(
        reading, "Task", fill("what to do with this, as a verb and its object"), reason=_REASON
    )


def _only_forbids(reading: Reading) -> bool:
    """Whether every sentence says what not to do: that is all that is asked for."""
    sentences = [reading.prose[part.start : part.end] for part in reading.parts.of("sentence")]
    return bool(sentences) and all(map(_PROHIBITION.match, sentences))
