"""Groups of similar cases as candidates, made without looking at the outcome."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from ml_orchestrator.evaluation.patterns.features import Features

__all__ = ["FoundCluster", "find_clusters"]

MOST_CLUSTERS = 6
N_LOOKED_AT = 1_500
LEAST_SILHOUETTE = 0.1  # below, the groups are cut out of one cloud
N_DESCRIBING = 4
LEAST_DIFFERENCE = 0.2  # of the shares that hold a feature


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """A group: its name, which of all cases are in it, and what makes it different."""

    name: str
    holds: NDArray[np.bool_]
    described_by: tuple[str, ...]


def find_clusters(
    features: Features, *, learn_on: NDArray[np.int64], seed: int
) -> list[FoundCluster]:
    """Return the clusters of the cases by k-means on their features; none if they are not apart.

    Centres, and their number (2 to 6, by silhouette), are learnt on ``learn_on`` alone; cases of
    the other parts go to the nearest centre. Fewer than 0.1 of silhouette is no clusters.
    """
    numbers = features.values.astype(np.float64)
    scale = np.maximum(numbers[learn_on].std(axis=0), 1e-9)
    scaled = (numbers - numbers[learn_on].mean(axis=0)) / scale
    with threadpool_limits(limits=1):  # threads that wait for each other cost more than they save
        best = _best_model(scaled[learn_on], seed)
        labels = None if best is None else best.predict(scaled)
    if best is None or labels is None:
        return []
    order = np.argsort(-np.bincount(labels[learn_on], minlength=best.n_clusters), kind="stable")
    return [
        FoundCluster(f"cluster {i + 1}", labels == k, _described(features, labels == k, learn_on))
        for i, k in enumerate(order)
    ]


def _best_model(scaled: NDArray[np.float64], seed: int) -> KMeans | None:
    rng = np.random.default_rng(seed)
    looked_at = scaled[rng.permutation(len(scaled))[:N_LOOKED_AT]]
    n_distinct = len(np.unique(looked_at, axis=0))
    best, best_score = None, LEAST_SILHOUETTE
    for k in range(2, min(MOST_CLUSTERS, n_distinct - 1) + 1):
        model = KMeans(n_clusters=k, n_init=3, random_state=seed).fit(looked_at)
        score = float(silhouette_score(looked_at, model.labels_))
        if score > best_score:
            best, best_score = model, score
    return best


def _described(
    features: Features, inside: NDArray[np.bool_], rows: NDArray[np.int64]
) -> tuple[str, ...]:
    within, values = inside[rows], features.values[rows]
    if within.all() or not within.any():
        return ()
    here, there = values[within].mean(axis=0), values[~within].mean(axis=0)
    order = np.argsort(-np.abs(here - there), kind="stable")[:N_DESCRIBING]
    return tuple(
        f"{features.names[i]}: {here[i]:.0%} of it, {there[i]:.0%} elsewhere"
        for i in order
        if abs(here[i] - there[i]) >= LEAST_DIFFERENCE
    )
