"""Generated tables for ``averages.py``; each seed is another function and other rows.

The name of a table is part of its seed, and so is the order in which its numbers are drawn: who
changes either has other tables than those of which figures were given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["TABLES", "Drawn", "drawn"]

N_TEST = 5_000
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows with the target ``y``, how many are for training, and what else a training is told."""

    frame: pl.DataFrame
    n_train: int
    more: dict[str, str] = field(default_factory=dict)


def drawn(name: str, seed: int) -> Drawn:
    """Return a draw of the table of this name."""
    return TABLES[name](np.random.default_rng([seed, *name.encode()]))


def _smooth_small(rng: np.random.Generator) -> Drawn:
    n = 300 + N_TEST
    x = rng.normal(size=(n, 6))
    y = _unit(_smooth(rng, x, 0.35)) + 0.5 * _unit(x @ rng.normal(size=6))
    return Drawn(_frame(x, y=y + rng.normal(0, 0.5, n)), 300)


def _smooth_large(rng: np.random.Generator) -> Drawn:
    n = 1_200 + N_TEST
    x = rng.normal(size=(n, 8))
    y = _unit(_smooth(rng, x, 0.25)) + 0.5 * _unit(_steps(rng, x)) + rng.normal(0, 0.6, n)
    return Drawn(_frame(x, y=y), 1_200)


def _steps_categories(rng: np.random.Generator) -> Drawn:
    n = 700 + N_TEST
    x = rng.normal(size=(n, 5))
    c, d = rng.integers(0, 25, n), rng.integers(0, 4, n)
    shift = rng.normal(0, 0.8, 25)[c] + rng.normal(0, 0.8, (4, 5))[d, 0] * x[:, 1]
    y = _unit(_steps(rng, x)) + shift + rng.normal(0, 0.7, n)
    return Drawn(_frame(x, c=_names("c", c), d=_names("d", d), y=y), 700)


def _linear_wide(rng: np.random.Generator) -> Drawn:
    n = 250 + N_TEST
    x = 0.4 * (rng.normal(size=(n, 10)) @ rng.normal(size=(10, 40))) + rng.normal(size=(n, 40))
    slopes = rng.normal(size=40) * (rng.random(40) < 0.3)
    y = _unit(x @ slopes + 1e-9) + 0.3 * _unit(x[:, 0] * x[:, 1]) + rng.normal(0, 0.7, n)
    return Drawn(_frame(x, y=y), 250)


def _heavy_tails(rng: np.random.Generator) -> Drawn:
    n = 900 + N_TEST
    x = np.column_stack([rng.lognormal(0, 1, (n, 3)), rng.normal(size=(n, 4))])
    inner = np.column_stack([np.log(x[:, :3]), x[:, 3:]])
    level = 0.5 * _unit(_smooth(rng, inner, 0.3)) + 0.4 * _unit(inner @ rng.normal(size=7))
    return Drawn(_frame(x, y=np.exp(level + rng.normal(0, 0.4, n))), 900)


def _binary_small(rng: np.random.Generator) -> Drawn:
    x = rng.normal(size=(200 + N_TEST, 7))
    odds = 1.2 * _unit(x @ rng.normal(size=7)) + 0.8 * _unit(_steps(rng, x))
    return Drawn(_frame(x, y=_labels(rng, odds)), 200)


def _binary_smooth(rng: np.random.Generator) -> Drawn:
    x = rng.normal(size=(800 + N_TEST, 8))
    odds = 2.0 * _unit(_smooth(rng, x, 0.3)) + 0.7 * _unit(x @ rng.normal(size=8))
    return Drawn(_frame(x, y=_labels(rng, odds)), 800)


def _rare_categories(rng: np.random.Generator) -> Drawn:
    n = 1_000 + N_TEST
    x = rng.normal(size=(n, 5))
    c, d = (40 * rng.random(n) ** 2).astype(int), rng.integers(0, 6, n)
    shift = rng.normal(0, 0.9, 40)[c] + rng.normal(0, 0.5, 6)[d]
    odds = shift - 2.2 + 0.9 * _unit(_steps(rng, x)) + 0.5 * x[:, 0]
    return Drawn(_frame(x, c=_names("c", c), d=_names("d", d), y=_labels(rng, odds)), 1_000)


def _blobs(rng: np.random.Generator) -> Drawn:
    n, n_classes = 500 + N_TEST, 5
    blob = rng.integers(0, 2 * n_classes, n)
    centres = rng.normal(0, 1.1, (2 * n_classes, 6))
    x = np.column_stack([centres[blob] + rng.normal(size=(n, 6)), rng.normal(size=(n, 4))])
    return Drawn(_frame(x, y=_names("k", blob % n_classes)), 500)


def _ordinal_gaps(rng: np.random.Generator) -> Drawn:
    n = 800 + N_TEST
    x = rng.normal(size=(n, 8))
    level = _unit(x @ rng.normal(size=8)) + 0.6 * _unit(_smooth(rng, x, 0.3))
    y = np.digitize(level + rng.logistic(0, 0.5, n), [-0.8, 0.7])
    x = np.where(rng.random(x.shape) < 0.12, np.nan, x)
    return Drawn(_frame(x, y=_names("k", y)), 800)


def _trend(rng: np.random.Generator) -> Drawn:
    n = 900
    t = np.arange(n)
    x = np.cumsum(rng.normal(0, 0.15, (n, 3)), 0) + rng.normal(0, 0.5, (n, 3))
    w = rng.normal(size=(n, 2))
    slope = rng.choice([-1, 1]) * t * rng.uniform(0.001, 0.004)
    season = 0.6 * np.sin(2 * np.pi * t / 52 + rng.uniform(0, 6))
    y = slope + season + x @ rng.normal(0, 0.5, 3) + 0.5 * np.abs(w[:, 0]) * w[:, 1]
    frame = _frame(np.column_stack([x, w]), week=t % 52, t=t, y=y + rng.normal(0, 0.5, n))
    return Drawn(frame, 600, {"time_column": "t"})


def _drifting_binary(rng: np.random.Generator) -> Drawn:
    n = 1_200
    t = np.arange(n)
    x = rng.normal(size=(n, 6))
    early, late = rng.normal(size=(2, 6))
    x[:, 0] += t / 400
    moving = x @ early * (1 - 0.6 * t / n) + x @ late * 0.6 * t / n
    odds = moving + 0.8 * _unit(_steps(rng, x))
    frame = _frame(x, t=t, y=_labels(rng, odds - np.median(odds)))
    return Drawn(frame, 800, {"time_column": "t"})


def _groups_numbers(rng: np.random.Generator) -> Drawn:
    group = np.repeat(np.arange(500), 10)
    n = len(group)
    of_group = rng.normal(size=(500, 3))
    x = rng.normal(size=(n, 5)) + 0.5 * rng.normal(size=(500, 5))[group]
    y = 0.8 * _unit(_smooth(rng, x, 0.3)) + 0.6 * _unit(_smooth(rng, of_group, 0.5))[group]
    y = y + rng.normal(0, 0.5, 500)[group] + rng.normal(0, 0.5, n)
    frame = _frame(np.column_stack([x, of_group[group]]), g=_names("g", group), y=y)
    return Drawn(frame, 600, {"group_column": "g"})


def _groups_classes(rng: np.random.Generator) -> Drawn:
    group = np.repeat(np.arange(1_200), 4)
    of_group = rng.normal(size=(1_200, 2))
    x = rng.normal(size=(len(group), 5))
    whole = np.column_stack([x, of_group[group]])
    odds = 1.2 * _unit(_steps(rng, whole)) + 0.8 * _unit(x @ rng.normal(size=5))
    odds = odds + rng.normal(0, 0.8, 1_200)[group]
    frame = _frame(whole, g=_names("g", group), y=_labels(rng, odds))
    return Drawn(frame, 700, {"group_column": "g"})


def _smooth(rng: np.random.Generator, x: Array, scale: float) -> Array:
    """Return a smooth function of the rows, more of some columns than of others."""
    n_waves = 30
    pull = rng.normal(0, scale, (x.shape[1], n_waves)) * rng.gamma(1.0, 1.0, (x.shape[1], 1))
    waves = np.cos(x @ pull + rng.uniform(0, 2 * np.pi, n_waves))
    out: Array = np.sqrt(2 / n_waves) * waves @ rng.normal(0, 1, n_waves)
    return out


def _steps(rng: np.random.Generator, x: Array) -> Array:
    """Return the sum of 12 steps, each in a corner of two columns."""
    out = np.zeros(len(x))
    for _ in range(12):
        i, j = rng.integers(0, x.shape[1], 2)
        above, below = rng.normal(0, 0.7, 2)
        out += rng.normal() * ((x[:, i] > above) & (x[:, j] < below))
    return out


def _unit(values: Array) -> Array:
    out: Array = (values - values.mean()) / values.std()
    return out


def _labels(rng: np.random.Generator, odds: Array) -> Array:
    return np.where(rng.random(len(odds)) < 1 / (1 + np.exp(-odds)), "yes", "no")


def _names(letter: str, numbers: Array) -> list[str]:
    return [f"{letter}{number}" for number in numbers]


def _frame(x: Array, **more: Array | Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({**{f"x{i}": x[:, i] for i in range(x.shape[1])}, **more})


TABLES: dict[str, Callable[[np.random.Generator], Drawn]] = {
    "smooth_small": _smooth_small,
    "binary_small": _binary_small,
    "trend": _trend,
    "steps_categories": _steps_categories,
    "blobs": _blobs,
    "groups_numbers": _groups_numbers,
    "linear_wide": _linear_wide,
    "binary_smooth": _binary_smooth,
    "drifting_binary": _drifting_binary,
    "rare_categories": _rare_categories,
    "ordinal_gaps": _ordinal_gaps,
    "heavy_tails": _heavy_tails,
    "groups_classes": _groups_classes,
    "smooth_large": _smooth_large,
}
