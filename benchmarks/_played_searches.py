"""Searches played from what was measured: no model is fitted, so each costs no time.

A rule of ``training.allocation`` chooses the family of each trial, whose configuration is drawn
from those measured (without replacement; the default first), and its folds are paid for, only the
first ones where the median rule of ``training.course`` prunes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.course import is_hopeless

__all__ = ["Measured", "Played", "Pool", "Way", "charges", "play"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One configuration: higher scores are better; both have shape ``(n_folds,)``."""

    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]


Pool = Mapping[str, Sequence[Measured]]
"""What was measured of each family, in the order in which families are first tried."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a search is played: the rule that chooses families, and whether trials are pruned."""

    rule: str
    prunes: bool

    def __str__(self) -> str:
        return f"{self.rule}, pruned" if self.prunes else self.rule


UNIFORM = Way("uniform", False)


@dataclass(frozen=True, slots=True)
class Played:
    """A search: the best score and the seconds after each trial."""

    best: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def seconds_to(self, score: float) -> float | None:
        """Return the seconds until the score is reached; None if it never is."""
        reached = np.flatnonzero(self.best >= score)
        return float(self.seconds[reached[0]]) if len(reached) else None


def charges(
    pool: Pool, ways: Sequence[Way], *, n_trials: int, n_plays: int
) -> dict[Way, tuple[float, float]]:
    """Return for each way the mean logarithm of its seconds, and the share that gets there.

    Where to get is the mean of the best scores of the uniform searches after all their trials.
    One that never gets there is charged all its time and no less than the uniform search of the
    same seed: giving up early is no saving.
    """
    usual = [play(pool, UNIFORM, n_trials, seed) for seed in range(n_plays)]
    goal = float(np.mean([played.best[-1] for played in usual]))
    found = {}
    for way in ways:
        played = [play(pool, way, n_trials, seed) for seed in range(n_plays)]
        reached = [search.seconds_to(goal) for search in played]
        charged = [
            max(search.seconds[-1], other.seconds[-1]) if seconds is None else seconds
            for seconds, search, other in zip(reached, played, usual, strict=True)
        ]
        share = float(np.mean([seconds is not None for seconds in reached]))
        found[way] = float(np.mean(np.log(charged))), share
    return found


def play(pool: Pool, way: Way, n_trials: int, seed: int) -> Played:
    """Return one search; those of one seed draw a family's configurations in the same order."""
    rng = np.random.default_rng(seed)
    left = {name: [0, *(1 + rng.permutation(len(runs) - 1))] for name, runs in pool.items()}
    outcomes: dict[str, list[float]] = {name: [] for name in pool}
    complete: list[list[float]] = []
    best, seconds = [], []
    for number in range(n_trials):
        able = {name: values for name, values in outcomes.items() if left[name]}
        if not able:
            break
        name = min(able, key=lambda n: len(able[n])) if number < len(pool) else ""
        name = name or ALLOCATIONS[way.rule](able, np.random.default_rng([seed, number]))
        run = pool[name][int(left[name].pop(0))]
        n_folds = len(run.scores)
        pruned_after = _pruned_after(run, complete, len(pool)) if way.prunes else None
        if pruned_after is None:
            complete.append(run.scores.tolist())
        else:
            n_folds = pruned_after
        outcomes[name].append(float(run.scores[:n_folds].mean()))
        best.append(max((float(np.mean(scores)) for scores in complete), default=-np.inf))
        seconds.append(float(run.seconds[:n_folds].sum()))
    return Played(np.array(best), np.cumsum(seconds))


def _pruned_after(run: Measured, complete: Sequence[Sequence[float]], n_first: int) -> int | None:
    """Return after how many folds the trial is given up, which may be the last; None if never."""
    scores = run.scores.tolist()
    for n_run in range(1, len(scores) + 1):
        if is_hopeless(scores[:n_run], complete, n_first=n_first):
            return n_run
    return None
