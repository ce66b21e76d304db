"""Small data sets of known truth for the training tests."""

import numpy as np
import polars as pl

from ml_orchestrator.datasets.sources import Dataset

__all__ = ["dataset_of", "mixed_table"]


def dataset_of(frame: pl.DataFrame, target: str | None = "y") -> Dataset:
    """Return the frame as a data set whose digest follows its content."""
    digest = f"{int(frame.hash_rows(seed=1).sum()):064x}"
    return Dataset("t.csv", frame, digest, "A table.", target)


def mixed_table(n_rows: int = 240, seed: int = 0) -> pl.DataFrame:
    """Return every kind of column with missing values; ``y`` follows ``n``, ``c`` and ``b``."""
    rng = np.random.default_rng(seed)
    n, c = rng.normal(size=n_rows), rng.choice(["red", "green", "blue"], n_rows)
    b = rng.random(n_rows) < 0.5
    signal = n + 1.5 * (c == "red") + b - 1 + rng.normal(0, 0.5, n_rows)
    days = np.datetime64("2024-01-01T06:00:00", "us") + rng.integers(
        0, 300, n_rows
    ) * np.timedelta64(1, "D")
    frame = pl.DataFrame(
        {
            "n": n,
            "i": rng.integers(0, 9, n_rows),
            "c": c,
            "b": b,
            "t": days,
            "y": np.where(signal > 0, "yes", "no"),
        }
    )
    holes = {name: pl.Series(rng.random(n_rows) < 0.1) for name in ("n", "c", "b", "t")}
    return frame.with_columns(
        pl.when(hole).then(None).otherwise(pl.col(name)).alias(name) for name, hole in holes.items()
    )
