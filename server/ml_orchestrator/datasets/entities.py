"""Whether rows repeat an entity (a person, a shop), seen in what is the same on all its rows."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.datasets.key_names import is_named_like_key
from ml_orchestrator.datasets.kinds import reads_as_text

__all__ = ["Entity", "find_entity", "is_label"]

MIN_GROUPS = 20
MIN_ROWS_PER_GROUP = 2
MIN_ATTRIBUTES = 2  # of a column that is not named like a key
MOST_CANDIDATES = 20
MOST_COLUMNS = 100
MOST_ROWS = 50_000
MOST_NAMES = 5  # of one entity whose order is looked at
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


@dataclass(frozen=True, slots=True)
class _Groups:
    """The first row of each group, its column first, and how many rows each group has."""

    firsts: pl.DataFrame
    sizes: NDArray[np.int64]


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
    others = [
        other.name
        for other in frame.get_columns()[:MOST_COLUMNS]
        if other.name not in (column.name, target) and _can_be_compared(other)
    ]
    rows = frame.select(column.name, *others).filter(pl.col(column.name).is_not_null())
    groups = _groups(_whole_groups(rows, column.name), column.name)
    return _Found(
        column.name,
        column.drop_nulls().n_unique(),
        _attributes(groups),
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


def _groups(rows: pl.DataFrame, name: str) -> _Groups:
    """Return the groups of rows by a column, with the others that are the same within each."""
    rows = rows.sort(name)
    is_first = (rows[name] != rows[name].shift()).fill_null(True)
    changes = (pl.exclude(name).ne_missing(pl.exclude(name).shift()) & ~is_first).any()
    same = [found.name for found in rows.select(changes).get_columns() if not found[0]]
    sizes = np.diff(np.append(np.flatnonzero(is_first.to_numpy()), rows.height))
    return _Groups(rows.select(name, *same).filter(is_first), sizes)


def _attributes(groups: _Groups) -> tuple[str, ...]:
    """Return the columns that are the same on all rows of a value by more than luck.

    One value a group is another name for it, and of columns that divide the rows alike the first
    counts. Ranges are looked for in the order of the column and of the first few other names.
    """
    key, *others = groups.firsts.get_columns()
    n_values = {other.name: other.n_unique() for other in others}
    names = [other for other in others if n_values[other.name] == len(key)]
    orders = [each.arg_sort() for each in (key, *names[: MOST_NAMES - 1])]
    found: dict[bytes, str] = {}
    for other in others:
        if not 2 <= n_values[other.name] < len(key) or _log_chance(other, groups.sizes) > LIKELY:
            continue
        ranks = other.rank("dense")
        if not any(_are_ranges(ranks.gather(order)) for order in orders):
            found.setdefault(_division(ranks), other.name)
    return tuple(found.values())


def _are_ranges(ranks: pl.Series) -> bool:
    """Return whether a column only rises, or only falls."""
    return ranks.is_sorted() or ranks.is_sorted(descending=True)


def _division(ranks: pl.Series) -> bytes:
    """Return what is equal for columns that divide the rows alike."""
    codes = ranks.fill_null(0).to_numpy()
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].tobytes()  # numbered as they appear


def _log_chance(column: pl.Series, sizes: NDArray[np.int64]) -> float:
    """Return the logarithm of the chance that values at random are equal within all groups.

    It is not followed further down than it has to be to be unlikely.
    """
    counted = pl.DataFrame({"value": column, "n": sizes}).group_by("value").agg(pl.col("n").sum())
    logs, total = np.log(counted["n"].to_numpy() / sizes.sum()), 0.0
    for size, n_groups in zip(*np.unique(sizes[sizes > 1], return_counts=True), strict=True):
        total += float(n_groups * np.logaddexp.reduce(size * logs))
        if total <= LIKELY:
            break
    return total
