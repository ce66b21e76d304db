"""A small neural net for tables: its arrays, and what they say of rows, in numpy.

PyTorch learns the arrays (``training.trainers._torch``) through the same ``forward``, which asks
nothing but what numpy's arrays and torch's tensors both know. So they are saved, loaded and
asked without PyTorch.

Each column enters as a piecewise linear function with bends at its quantiles (Y. Gorishniy, I.
Rubachev, A. Babenko, On embeddings for numerical features in tabular deep learning, 2022). Layers
of one width follow, each adding to what it is given (Y. Gorishniy and others, Revisiting deep
learning models for tabular data, 2021). Several members share them, each with its own signs of
the inputs and its own last layer; their answers are averaged (Y. Gorishniy, A. Kotelnikov, A.
Babenko, TabM, 2024).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EPSILON",
    "FIXED",
    "Arrays",
    "Shape",
    "answers",
    "checked",
    "forward",
    "fresh_arrays",
    "held_back",
    "n_blocks_of",
]

Arrays = Mapping[str, NDArray[Any]]
"""The arrays of a net by name.

``columns``, ``left``, ``width``, ``low``, ``high``: of each piece of a column, which it is, where
it starts, how long it is and between what it is held. ``signs`` (n_members, n_pieces); ``first``
(n_pieces, width) and ``first_shift``; of each block ``gain_0``, ``offset_0``, ``up_0``,
``up_shift_0``, ``down_0``, ``down_shift_0``; ``last_gain``, ``last_offset``; ``heads``
(n_members, width, n_outputs) and ``heads_shift`` (n_members, 1, n_outputs).
"""

FIXED = ("columns", "left", "width", "low", "high")  # not learnt
OUTSIDE = 2.0  # lengths of the outer piece, for which a line goes on beyond what was seen
CLOSEST = 1e-6  # of a column's range, between two bends; what is learnt has 32 bits
EPSILON = 1e-5  # added to a variance
MOST_NUMBERS = 4_000_000  # of one layer at once; 32 MB
HELD_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a net is: pieces a column at most, blocks, their width, and members."""

    n_pieces: int
    n_blocks: int
    width: int
    n_members: int


def fresh_arrays(
    values: NDArray[np.float64], shape: Shape, n_outputs: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Return the arrays before learning; ``values`` are finite, ``(n_rows, n_columns)``.

    A column of one value is left out. Weights are drawn evenly within one over the root of what
    goes into a layer; the last layer of a block starts at a tenth of that.
    """
    arrays = _pieces(values, shape.n_pieces)
    n, width, members = len(arrays["left"]), shape.width, shape.n_members

    def drawn(n_in: int, *size: int, scale: float = 1.0) -> NDArray[np.float32]:
        within = scale / n_in**0.5
        return rng.uniform(-within, within, size).astype(np.float32)

    arrays["signs"] = rng.choice([-1.0, 1.0], (members, n)).astype(np.float32)
    arrays["first"], arrays["first_shift"] = drawn(n, n, width), drawn(n, width)
    for i in range(shape.n_blocks):
        arrays |= {f"gain_{i}": _ones(width), f"offset_{i}": _ones(width) * 0}
        arrays |= {f"up_{i}": drawn(width, width, width), f"up_shift_{i}": drawn(width, width)}
        arrays[f"down_{i}"] = drawn(width, width, width, scale=0.1)
        arrays[f"down_shift_{i}"] = _ones(width) * 0
    arrays |= {"last_gain": _ones(width), "last_offset": _ones(width) * 0}
    arrays["heads"] = drawn(width, members, width, n_outputs)
    arrays["heads_shift"] = np.zeros((members, 1, n_outputs), dtype=np.float32)
    return arrays


def forward(
    arrays: Mapping[str, Any], values: Any, drop: Callable[[Any], Any] | None = None
) -> Any:
    """Return what each member says, ``(n_members, n_rows, n_outputs)``.

    Args:
        arrays: numpy's or torch's, all of the kind of ``values``.
        values: ``(n_rows, n_columns)``.
        drop: what is done to the inside of each block while learning.
    """
    pieces = (values[:, arrays["columns"]] - arrays["left"]) / arrays["width"]
    held = pieces.clip(arrays["low"], arrays["high"])
    state = (held * arrays["signs"][:, None, :]) @ arrays["first"] + arrays["first_shift"]
    for i in range(n_blocks_of(arrays)):
        inner = _levelled(state) * arrays[f"gain_{i}"] + arrays[f"offset_{i}"]
        inner = (inner @ arrays[f"up_{i}"] + arrays[f"up_shift_{i}"]).clip(0)
        inner = inner if drop is None else drop(inner)
        state = state + inner @ arrays[f"down_{i}"] + arrays[f"down_shift_{i}"]
    state = (_levelled(state) * arrays["last_gain"] + arrays["last_offset"]).clip(0)
    return state @ arrays["heads"] + arrays["heads_shift"]


def n_blocks_of(arrays: Mapping[str, Any]) -> int:
    """Return how many blocks a net has.

    >>> n_blocks_of({"first_shift": 0, "up_shift_0": 0, "up_shift_1": 0})
    2
    """
    return sum(name.startswith("up_shift_") for name in arrays)


def answers(exact: Arrays, values: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Give ``forward`` of ``checked`` arrays for some rows after others, in order."""
    n_each = len(exact["signs"]) * max(exact["first"].shape)
    n_rows = max(1, MOST_NUMBERS // max(1, n_each))
    for start in range(0, len(values), n_rows):
        yield forward(exact, values[start : start + n_rows])


def checked(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays in double precision, if they are those of one net.

    No size is 0, so that nothing computed of one row is larger than an array that was saved; all
    numbers are finite, and pieces have a length.

    Raises:
        ValueError: one is missing, or has another size or kind.
    """
    try:
        sizes = _sizes(arrays)
        wrong = [name for name, size in sizes.items() if not _is_sound(arrays[name], size)]
        columns = arrays["columns"]
        wrong += [] if columns.dtype.kind == "i" and (columns >= 0).all() else ["columns"]
        wrong += [] if (arrays["width"] > 0).all() else ["width"]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"The arrays of a net do not belong together: {error}.") from error
    if wrong:
        raise ValueError(f"The arrays of a net do not belong together: {', '.join(wrong)}.")
    exact = {name: arrays[name].astype(np.float64) for name in sizes}
    return {**exact, "columns": columns}


def _sizes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    """Return the size that each array must have beside ``signs`` and ``heads``."""
    members, n = arrays["signs"].shape
    width, n_outputs = arrays["heads"].shape[1:]
    sizes: dict[str, tuple[int, ...]] = {name: (n,) for name in FIXED}
    sizes |= {"signs": (members, n), "first": (n, width), "first_shift": (width,)}
    for i in range(n_blocks_of(arrays)):
        sizes |= {f"{name}_{i}": (width, width) for name in ("up", "down")}
        flat = ("gain", "offset", "up_shift", "down_shift")
        sizes |= {f"{name}_{i}": (width,) for name in flat}
    sizes |= {"last_gain": (width,), "last_offset": (width,)}
    return sizes | {"heads": (members, width, n_outputs), "heads_shift": (members, 1, n_outputs)}


def _is_sound(array: NDArray[Any], size: tuple[int, ...]) -> bool:
    is_such = array.shape == size and min(size) >= 1 and array.dtype.kind in "fi"
    return is_such and bool(np.isfinite(array).all())


def held_back(strata: NDArray[np.int64], seed: int, *, is_ordered: bool) -> NDArray[np.bool_]:
    """Return which rows tell when to stop: 15 %, the last ones where rows are in time order.

    Else of each stratum the same share, rounded down, so that none is without rows to learn from.
    None at all where that would be no row. ``seed`` draws from a stream of its own, so that nets
    of every shape are told by the same rows and their losses compare.

    >>> np.flatnonzero(held_back(np.zeros(20, dtype=np.int64), 0, is_ordered=True))
    array([17, 18, 19])
    """
    n_rows = len(strata)
    rng = np.random.default_rng([seed, 1])
    if is_ordered:
        return np.arange(n_rows) >= n_rows - int(HELD_SHARE * n_rows)
    order = rng.permutation(n_rows)
    order = order[np.argsort(strata[order], kind="stable")]
    is_held = np.zeros(n_rows, dtype=np.bool_)
    for rows in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        is_held[rows[: int(HELD_SHARE * len(rows))]] = True
    return is_held


def _pieces(values: NDArray[np.float64], n_pieces: int) -> dict[str, NDArray[Any]]:
    """Return where the columns bend: at quantiles that lie apart."""
    found: dict[str, list[float]] = {name: [] for name in FIXED}
    for place, column in enumerate(values.T):
        edges = _apart(np.quantile(column, np.linspace(0, 1, n_pieces + 1)))
        n = len(edges) - 1
        if n == 0:
            continue
        found["columns"] += [place] * n
        found["left"] += edges[:-1].tolist()
        found["width"] += np.diff(edges).tolist()
        found["low"] += [-OUTSIDE] + [0.0] * (n - 1)
        found["high"] += [1.0] * (n - 1) + [1.0 + OUTSIDE]
    if not found["columns"]:  # nothing varies: one piece that is always 0
        found = {"columns": [0], "left": [0], "width": [1], "low": [0], "high": [0]}
    return {
        name: np.array(numbers, dtype=np.int64 if name == "columns" else np.float64)
        for name, numbers in found.items()
    }


def _apart(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sorted edges without those that lie closer to the one before than numbers tell."""
    is_apart = np.diff(edges) > CLOSEST * (edges[-1] - edges[0])
    kept: NDArray[np.float64] = edges[np.append(True, is_apart)]
    return kept


def _levelled(state: Any) -> Any:
    """Return it with mean 0 and variance 1 over the width (J. Ba and others, 2016)."""
    apart = state - state.mean(axis=-1, keepdims=True)
    return apart / ((apart * apart).mean(axis=-1, keepdims=True) + EPSILON) ** 0.5


def _ones(n: int) -> NDArray[np.float32]:
    return np.ones(n, dtype=np.float32)
