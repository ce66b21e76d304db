"""Tables with one planted change, for the benchmark of detection and the programs of its peers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHIFTS", "Shift", "Table", "pair", "table"]

N_REFERENCE, N_CURRENT = 1_000, 500
Table = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Shift:
    """A planted change of the current table; all zero is none."""

    name: str
    mean: float = 0.0
    scale: float = 1.0
    correlation: float = 0.6
    mix: float = 0.5
    missing: float = 0.0
    group: float = 0.0


SHIFTS = (
    Shift("none"),
    Shift("mean", mean=0.3),
    Shift("scale", scale=1.35),
    Shift("correlation only", correlation=-0.2),
    Shift("category mix", mix=0.38),
    Shift("missingness", missing=0.15),
    Shift("subpopulation", group=0.12),
)


def table(seed: int, n: int, shift: Shift) -> Table:
    """Return ``n`` rows; a change touches one column, a correlation two, a group of rows four."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(6, n))
    rho = shift.correlation
    numbers[1] = rho * numbers[0] + np.sqrt(1 - rho**2) * numbers[1]
    numbers[2] = numbers[2] * shift.scale + shift.mean
    numbers[:4, rng.uniform(size=n) < shift.group] += 1.5
    numbers[3, (rng.uniform(size=n) < shift.missing) & (numbers[3] > 0)] = np.nan
    found: Table = {f"x{i}": row for i, row in enumerate(numbers)}
    found["kind"] = np.where(rng.uniform(size=n) < shift.mix, "a", "b").astype(object)
    found["place"] = rng.choice(np.array(["u", "v", "w"], dtype=object), n)
    return found


def pair(seed: int, shift: Shift, n_reference: int = N_REFERENCE) -> tuple[Table, Table]:
    """Return a reference without a change, and a current table with it."""
    return table(2 * seed, n_reference, SHIFTS[0]), table(2 * seed + 1, N_CURRENT, shift)
