"""Whether rows repeat an entity (a person, a shop), seen in what is the same on all its rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml_orchestrator.datasets.key_names import is_named_like_key
from ml_orchestrator.datasets.kinds import reads_as_text

__all__ = ["Entity", "find_entity", "is_label"]

MIN_GROUPS = 20
MIN_ROWS_PER_GROUP = 2
MIN_ATTRIBUTES = 2  # of a column that is not named like a key
MOST_CANDIDATES = 20
MOST_COLUMNS = 100
MOST_ROWS = 50_000
LIKELY = math.log(1e-6)  # chance of a column that is the same within all groups by luck
N_NAMED = 5


@dataclass(frozen=True, slots=True)
class Entity:
    """A column whose values come back, and what was seen there."""

    column: str
    evidence: str


@dataclass(frozen=True, slots=True)
class _Found:
    column: str
    n_groups: int
    attributes: tuple[str, ...]
    is_named: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        return len(self.attributes), self.is_named, self.n_groups


def find_entity(frame: pl.DataFrame, target: str | None) -> Entity | None:
    """Return the column of a normalised frame that names what rows repeat, or None.

    It holds labels or whole numbers, has at least 20 values and two rows a value on average, and
    either is named like a key (``customer``, ``patient_id``) or at least two other columns are
    the same on all rows of each value, as the age of a person is: more than chance would make so
    (less than one in a million if such values were dealt out at random), not the same in another
    order, and not merely ranges of the value. At most 50,000 rows, of whole values, 20 candidates
    and 100 columns are looked at.
    """
    candidates = [
        column for column in frame.get_columns() if column.name != target and _comes_back(column)
    ]
    named_first = sorted(candidates, key=lambda column: not is_named_like_key(column.name))
    found = [_look_at(frame, column, target) for column in named_first[:MOST_CANDIDATES]]
    likely = [entry for entry in found if entry.is_named or len(entry.attributes) >= MIN_ATTRIBUTES]
    if not likely:
        return None
    best = max(likely, key=lambda entry: entry.rank)
    return Entity(best.column, _evidence(best, frame.height))


def _evidence(found: _Found, n_rows: int) -> str:
    said = f"{found.column!r} has {found.n_groups:,} values in {n_rows:,} rows"
    if found.is_named:
        said = f"{found.column!r} is named like a key and has {found.n_groups:,} values in "
        said += f"{n_rows:,} rows"
    if found.attributes:
        names = ", ".join(map(repr, found.attributes[:N_NAMED]))
        more = len(found.attributes) - N_NAMED
        others = f" and {more} more" if more > 0 else ""
        said += f", on all rows of each of which {names}{others} stay the same"
    return f"{said}: rows of one value may be alike."


def _comes_back(column: pl.Series) -> bool:
    values = column.drop_nulls()
    n_groups = values.n_unique() if is_label(values) else 0
    return n_groups >= MIN_GROUPS and len(values) >= MIN_ROWS_PER_GROUP * n_groups


def is_label(values: pl.Series) -> bool:
    """Return whether values, none of them missing, may name something: labels, whole numbers."""
    if values.dtype == pl.String:
        return not reads_as_text(values)
    is_whole = values.dtype.is_integer()
    if values.dtype.is_float():
        is_whole = bool((values.is_finite() & (values == values.round())).all())
    return is_whole


def _look_at(frame: pl.DataFrame, column: pl.Series, target: str | None) -> _Found:
    rows = _whole_groups(frame.filter(column.is_not_null()), column.name)
    sizes = rows.group_by(column.name).len()["len"]
    others = [
        other
        for other in rows.get_columns()[:MOST_COLUMNS]
        if other.name not in (column.name, target) and _can_be_compared(other)
    ]
    key = rows[column.name]
    keys = [key, *(other for other in others if _are_alike(other, key))]
    attributes: list[pl.Series] = []
    for other in others:
        if _is_attribute(keys, other, sizes) and not any(
            _are_alike(other, known) for known in attributes
        ):
            attributes.append(other)
    return _Found(
        column.name,
        column.drop_nulls().n_unique(),
        tuple(attribute.name for attribute in attributes),
        is_named_like_key(column.name),
    )


def _can_be_compared(column: pl.Series) -> bool:
    return not column.dtype.is_nested() and column.dtype not in (pl.Binary, pl.Null)


def _whole_groups(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return all rows, or about 50,000 of them with all rows of each of their values."""
    if rows.height <= MOST_ROWS:
        return rows
    n_parts = -(-rows.height // MOST_ROWS)
    return rows.filter(pl.col(name).hash(seed=0) % n_parts == 0)


def _is_attribute(keys: Sequence[pl.Series], other: pl.Series, sizes: pl.Series) -> bool:
    """Return whether a column is the same on all rows of a value, by more than luck.

    ``keys`` are the column of the values and others that divide the rows alike.
    """
    if not 2 <= other.n_unique() < len(sizes):  # one value a group is another name for it
        return False
    n_pairs = pl.DataFrame({"key": keys[0], "value": other}).n_unique()
    if n_pairs != len(sizes) or _log_chance(other, sizes) > LIKELY:
        return False
    return not any(_are_ranges(key, other) for key in keys)


def _are_ranges(key: pl.Series, other: pl.Series) -> bool:
    """Return whether a column only rises, or only falls, with a key."""
    by_key = pl.DataFrame({"key": key, "value": other}).unique("key").sort("key")
    ranks = by_key["value"].rank("dense")
    return ranks.is_sorted() or ranks.is_sorted(descending=True)


def _log_chance(column: pl.Series, sizes: pl.Series) -> float:
    """Return the logarithm of the chance that values at random are equal within all groups."""
    counts = column.alias("value").value_counts(name="n")["n"].to_numpy()
    logs = np.log(counts / counts.sum())
    return float(
        sum(
            n_groups * np.logaddexp.reduce(size * logs)
            for size, n_groups in sizes.alias("size").value_counts(name="n").iter_rows()
            if size > 1
        )
    )


def _are_alike(column: pl.Series, other: pl.Series) -> bool:
    """Return whether two columns divide the rows alike."""
    n_unique = column.n_unique()
    return n_unique == other.n_unique() == pl.DataFrame({"a": column, "b": other}).n_unique()
