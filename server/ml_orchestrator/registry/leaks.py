"""Columns that may give the target away, on record with the version that was trained on them."""

import json
from collections.abc import Mapping, Sequence

from ml_orchestrator.datasets.kinds import ignoring

__all__ = ["LEAKS_TAG", "leak_tags", "leak_warnings"]

LEAKS_TAG = "ml_orchestrator.leakage_suspects"
MOST_NAMED = 10
MOST_CHARACTERS = 4_000  # of the tag; stores take 5,000 at least


def leak_tags(suspects: Sequence[str]) -> dict[str, str]:
    """Return the tag that names the suspects of a training, at most ten; none without any.

    >>> leak_tags(["paid at"])
    {'ml_orchestrator.leakage_suspects': '["paid at"]'}
    """
    named = list(suspects[:MOST_NAMED])
    while len(json.dumps(named)) > MOST_CHARACTERS:
        named.pop()
    return {LEAKS_TAG: json.dumps(named)} if named else {}


def leak_warnings(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to say of a version with these tags: a sentence for each suspect.

    What is no list of names, as anybody may write tags, says nothing.
    """
    try:
        names = json.loads(tags.get(LEAKS_TAG, "[]"))
    except ValueError:
        return ()
    if not isinstance(names, list):
        return ()
    return tuple(_warning(name) for name in names[:MOST_NAMED] if isinstance(name, str))


def _warning(name: str) -> str:
    return (
        f"{name!r} may leak the target. If it is not known when the model is asked, the scores say "
        f"nothing: train without it, by {ignoring(name)}."
    )
