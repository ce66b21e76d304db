"""Trials that no other beats in everything, and which of them is taken."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.costs import Cost
from ml_orchestrator.training.study import FinishedTrial

__all__ = ["choose", "front_of", "layers"]

Numbers = NDArray[np.float64]


def layers(values: Numbers) -> NDArray[np.int64]:
    """Return for each row how many fronts lie before it: 0 where none beats it in everything.

    Args:
        values: lower is better, shape ``(n_rows, n_objectives)``, finite.
    """
    found = np.full(len(values), -1, dtype=np.int64)
    layer = 0
    while (found < 0).any():
        left = np.flatnonzero(found < 0)
        found[left[~_is_beaten(values[left])]] = layer
        layer += 1
    return found


def front_of(
    trials: Sequence[FinishedTrial], *, higher_is_better: bool
) -> tuple[FinishedTrial, ...]:
    """Return the complete trials that no other beats in everything, best quality first.

    Of equal ones the first stays.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        return ()
    values = _losses(complete, higher_is_better)
    _, first = np.unique(values, axis=0, return_index=True)
    own = np.sort(first)
    kept = own[~_is_beaten(values[own])]
    return tuple(complete[i] for i in sorted(kept, key=lambda i: tuple(values[i])))


def choose(
    front: Sequence[FinishedTrial], costs: Sequence[Cost], *, metric: str, higher_is_better: bool
) -> tuple[FinishedTrial, str]:
    """Return the trial to take, and in a sentence by which rule.

    With a limit: the best quality that keeps all limits; if none does, the one that exceeds them
    least. Without: the knee, which is the trial nearest to the best of each objective, quality
    by its range over the front and costs by the range of their logarithms.
    """
    values = _losses(front, higher_is_better)
    limits = np.array([np.inf if cost.limit is None else cost.limit for cost in costs])
    if np.isinf(limits).all():
        nearest = int(np.argmin(np.linalg.norm(_scaled(values), axis=1)))
        return front[nearest], (
            f"The knee of {len(front)} models that no other beats in everything: nearest to the "
            f"best of each, {metric} by its range among them and "
            f"{' and '.join(cost.name for cost in costs)} by the range of the logarithm."
        )
    named = " and ".join(f"{c.name} <= {c.limit:g} {c.unit}" for c in costs if c.limit is not None)
    excess = (values[:, 1:] / limits).max(axis=1)
    within = np.flatnonzero(excess <= 1)
    if len(within):
        return front[int(within[0])], f"The best {metric} with {named}."
    return front[int(np.argmin(excess))], (
        f"No model has {named}; the one that exceeds it least, by a factor of {excess.min():.3g}."
    )


def _losses(trials: Sequence[FinishedTrial], higher_is_better: bool) -> Numbers:
    sign = -1.0 if higher_is_better else 1.0
    return np.array([[sign * trial.mean_score, *trial.costs] for trial in trials])


def _is_beaten(values: Numbers) -> NDArray[np.bool_]:
    no_worse = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] < values[None, :, :]).any(axis=2)
    beats = no_worse & better
    return np.asarray(beats.any(axis=0), dtype=np.bool_)


def _scaled(values: Numbers) -> Numbers:
    logs = np.column_stack([values[:, 0], np.log(np.maximum(values[:, 1:], 1e-12))])
    reach = np.ptp(logs, axis=0)
    scaled: Numbers = (logs - logs.min(axis=0)) / np.where(reach > 0, reach, 1.0)
    return scaled
