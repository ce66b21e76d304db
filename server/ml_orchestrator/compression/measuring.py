"""How large a model is and how long it takes, beside another in the same process."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from ml_orchestrator.compression.models import Latency

__all__ = ["latency", "size_bytes"]

N_SINGLE, N_BATCHES = 100, 20
MIN_ROUNDS = 5
MOST_BATCH_ROWS = 1_000
MOST_S = 3.0  # for each of the two measurements
WARM_UP = 3

Predict = Callable[[pd.DataFrame], Any]


def size_bytes(model: Any) -> int:
    """Return how many bytes the model's file has: ONNX as it is, else as skops writes it."""
    content = getattr(model, "content", None)
    return len(content if isinstance(content, bytes) else skops.io.dumps(model))


def latency(
    before: Predict,
    after: Predict,
    rows: pd.DataFrame,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Return the times of both, measured in turns so that a busy machine is unfair to neither.

    Single rows are drawn from ``rows`` one after the other; a batch is its first 1,000. Each
    measurement ends after 3 s, but not before five rounds.
    """
    one_each = [rows.iloc[[place % len(rows)]] for place in range(N_SINGLE)]
    batch = rows.head(MOST_BATCH_ROWS)
    single = _in_turns(before, after, one_each, clock)
    batches = _in_turns(before, after, [batch] * N_BATCHES, clock)
    return Latency(
        single_before=_median(single[:, 0]),
        single_after=_median(single[:, 1]),
        single_before_p90=_p90(single[:, 0]),
        single_after_p90=_p90(single[:, 1]),
        batch_before=_median(batches[:, 0]),
        batch_after=_median(batches[:, 1]),
        batch_before_p90=_p90(batches[:, 0]),
        batch_after_p90=_p90(batches[:, 1]),
        n_batch_rows=len(batch),
        n_single=len(single),
        n_batches=len(batches),
    )


def _in_turns(
    before: Predict, after: Predict, frames: Sequence[pd.DataFrame], clock: Callable[[], float]
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return ms, shape ``(n_rounds, 2)``; who is first alternates."""
    for predict in (before, after):
        for frame in frames[:WARM_UP]:
            predict(frame)
    began_at = clock()
    found: list[tuple[float, float]] = []
    for number, frame in enumerate(frames):
        pair = [0.0, 0.0]
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            started_at = clock()
            (before, after)[place](frame)
            pair[place] = 1_000 * (clock() - started_at)
        found.append((pair[0], pair[1]))
        if len(found) >= MIN_ROUNDS and clock() - began_at > MOST_S:
            break
    return np.array(found)


def _median(values: Any) -> float:
    return float(np.median(values))


def _p90(values: Any) -> float:
    return float(np.quantile(values, 0.9))
