"""Which of a search's models an average may be made of."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["shortlist"]

N_OF_A_FAMILY = 2
MOST_LISTED = 12

_Model = TypeVar("_Model")


def shortlist(ranked: Sequence[_Model], family: Callable[[_Model], str]) -> list[_Model]:
    """Return 12 of the models, which come best first: two of each family, then the best others.

    Models of one family err alike, and the best of a search are often of one: an average gains
    by members of others. What is left out stays out when more models come.
    """
    counts = Counter[str]()
    first: list[int] = []
    others: list[int] = []
    for place, model in enumerate(ranked):
        counts[family(model)] += 1
        (first if counts[family(model)] <= N_OF_A_FAMILY else others).append(place)
    return [ranked[place] for place in sorted([*first, *others][:MOST_LISTED])]
