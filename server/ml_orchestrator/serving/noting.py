"""What the steps of a model have to say about the rows that it is asked for."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

__all__ = ["notices_on"]


def notices_on(estimator: Any, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return sentences on rows whose answers are worth less than others, each once.

    A fitted step says so by a method ``notices``; those of training that look back in time have
    one. Only for a model whose steps read other rows (``loader.reads_other_rows``): the parts of
    others are not looked at.
    """
    said = [
        sentence
        for part in _parts(estimator)
        if callable(getattr(part, "notices", None))
        for sentence in part.notices(frame)
    ]
    return tuple(dict.fromkeys(said))


def _parts(model: Any) -> Iterator[Any]:
    """Give a fitted model and all that it is put together from: blends, pipelines, columns."""
    yield model
    named = [*getattr(model, "members", ()), *getattr(model, "steps", ())]
    inner = [entry[1] for entry in (*named, *getattr(model, "transformers_", ()))]
    for part in inner:
        yield from _parts(part)
