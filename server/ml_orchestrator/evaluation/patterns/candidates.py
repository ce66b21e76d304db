"""Every pattern that may be selected, and sums over the cases that hold it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.evaluation.patterns.clusters import FoundCluster
from ml_orchestrator.evaluation.patterns.features import Features
from ml_orchestrator.evaluation.patterns.models import PatternKind
from ml_orchestrator.evaluation.patterns.sequences import SequencePattern
from ml_orchestrator.numerics.itemsets import MAX_SIZE, FeatureSets, frequent_sets

__all__ = ["Candidate", "Candidates", "gather"]

COLUMNS_AT_ONCE = 16  # as numbers: of 72,000 cases 9 MB


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pattern: its name, what it is made of, and which of all cases hold it."""

    name: str
    kind: PatternKind
    items: tuple[str, ...]
    holds: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All patterns on the first part: sets of features first, then orders, clusters, cuts.

    Attributes:
        features: binary features of all cases.
        sets: sets of features on the first part.
        others: orders, clusters, and numbers cut elsewhere than in the middle.
        others_here: shape ``(n_first, n_others)``.
        families: shape ``(n_candidates,)``; patterns of a kind and size share a number.
        rows: rows of the first part.
        numbers: shape ``(n_candidates,)``; cuts of one number share a place, others have -1.
    """

    features: Features
    sets: FeatureSets
    others: Sequence[Candidate]
    others_here: NDArray[np.bool_]
    families: NDArray[np.int64]
    rows: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many."""
        return len(self.families)

    @property
    def counts(self) -> NDArray[np.float64]:
        """Cases of the first part that hold each, shape ``(n_candidates,)``."""
        return np.concatenate([self.sets.counts, self.others_here.sum(axis=0)]).astype(np.float64)

    def sums(self, values: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of ``values``, one a case of the first part, over each one's cases."""
        kind = np.float32 if values.dtype == np.bool_ else np.float64  # 0 and 1 stay exact
        held: NDArray[Any] = self.others_here.T
        numbers: NDArray[Any] = values.astype(kind)
        blocks = (
            held[start : start + COLUMNS_AT_ONCE].astype(kind) @ numbers
            for start in range(0, len(self.others), COLUMNS_AT_ONCE)
        )
        return np.concatenate([self.sets.sums(values), *blocks])

    def candidate(self, index: int) -> Candidate:
        """Return one of them."""
        n_sets = len(self.sets.counts)
        if index >= n_sets:
            return self.others[index - n_sets]
        members = list(self.sets.items(index))
        items = tuple(self.features.names[member] for member in members)
        kind: PatternKind = "feature" if len(items) == 1 else "set"
        holds = np.asarray(self.features.values[:, members].all(axis=1))
        return Candidate(" & ".join(items), kind, items, holds)

    def holds_here(self, index: int) -> NDArray[np.bool_]:
        """Return which cases of the first part hold one, shape ``(n_first,)``."""
        n_sets = len(self.sets.counts)
        if index >= n_sets:
            return np.asarray(self.others_here[:, index - n_sets], dtype=np.bool_)
        return np.asarray(self.sets.features[:, list(self.sets.items(index))].all(axis=1))


def gather(
    features: Features,
    sequences: Sequence[SequencePattern],
    clusters: Sequence[FoundCluster],
    *,
    rows: NDArray[np.int64],
    least: int,
    max_size: int,
) -> Candidates:
    """Return the candidates that ``least`` cases of the first part hold, and as many do not.

    Raises:
        InvalidInputError: there are more sets than can be handled.
    """
    sets = _sets(features.values[rows], least, max_size)
    orders = [Candidate(" > ".join(s.events), "sequence", s.events, s.holds) for s in sequences]
    groups = [
        Candidate(c.name, "cluster", (c.name,), c.holds)
        for c in clusters
        if least <= c.holds[rows].sum() <= len(rows) - least
    ]
    cuts = [Candidate(c.name, "feature", (c.name,), c.holds) for c in features.cuts]
    others = [*orders, *groups, *cuts]
    none = np.zeros((len(rows), 0), dtype=np.bool_)
    here = np.column_stack([other.holds[rows] for other in others]) if others else none
    families = [
        *sets.sizes,
        *(10 + len(order.items) for order in orders),
        *(20 for _ in groups),
        *(30 for _ in cuts),
    ]
    numbers = np.full(len(families), -1, dtype=np.int64)
    places = {column: i for i, column in enumerate(dict.fromkeys(c.column for c in features.cuts))}
    numbers[len(families) - len(cuts) :] = [places[c.column] for c in features.cuts]
    return Candidates(
        features, sets, others, here, np.array(families, dtype=np.int64), rows, numbers
    )


def _sets(here: NDArray[np.bool_], least: int, max_size: int) -> FeatureSets:
    """Return the sets that say something of their own; none where there is no feature."""
    if not here.shape[1]:
        return FeatureSets(here, np.zeros((0, MAX_SIZE), dtype=np.int64), np.zeros(0, np.int64))
    sets = frequent_sets(here, min_count=least, max_size=max_size)
    return sets.keep(_is_own(sets))


def _is_own(sets: FeatureSets) -> NDArray[np.bool_]:
    """Return which sets hold fewer cases than each set they extend; the rest say nothing new."""
    counts = {sets.items(i): int(n) for i, n in enumerate(sets.counts)}
    is_own = np.ones(len(sets.counts), dtype=np.bool_)
    for i, (items, count) in enumerate(counts.items()):
        parents = (items[:k] + items[k + 1 :] for k in range(len(items)))
        is_own[i] = len(items) == 1 or all(counts[parent] > count for parent in parents)
    return is_own
