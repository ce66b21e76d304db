"""Drift chunk by chunk: since when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.chunks import Chunk, Timeline, cut, ordered
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.drift.choice import LEAST_P, MOST_DISCRETE_VALUES, Pair, measure
from ml_orchestrator.health.drift.contract import Columns, Sample, is_missing
from ml_orchestrator.health.drift.finer import can_reach, measure_finely
from ml_orchestrator.health.models import Correction, DriftChunk, DriftOverTime
from ml_orchestrator.health.report import adjust
from ml_orchestrator.health.streams.dating import change_of, detectors_are_there
from ml_orchestrator.numerics.binning import distinct_of_sorted

__all__ = ["MOST_REFERENCE_ROWS", "dating_notice", "drift_over_time"]

OWN_NULL = tuple(LEAST_P)  # tests of one distribution themselves
MOST_REFERENCE_ROWS = 20_000  # of a column, drawn once; each chunk is compared with them

MOST_REFINED = 10  # chunks of columns that are compared by more permutations

Cell = tuple[int, str]


@dataclass(frozen=True, slots=True)
class _Found:
    """A column in a chunk: could it be chance, is it far enough, and has it any value?"""

    p_value: float
    is_far: bool
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is significant after correction."""

    adjusted: Mapping[Cell, float]
    drifted: set[Cell]

    @classmethod
    def of(cls, found: Mapping[Cell, _Found], alpha: float, correction: Correction) -> "_Judged":
        adjusted = adjust({cell: result.p_value for cell, result in found.items()}, correction)
        drifted = {c for c, result in found.items() if result.is_far and adjusted[c] <= alpha}
        return cls(adjusted, drifted)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A column of the reference, made ready for all chunks."""

    sample: Sample
    may_be_discrete: bool
    n_rows: int
    n_missing: int

    @classmethod
    def read(cls, name: str, column: "NDArray[Any] | Sample", seed: int) -> "_Reference":
        sample = Sample.read(name, "reference", column).in_order()
        n_rows, n_missing = sample.n_rows, sample.n_rows - sample.n_values
        values = sample.values
        if len(values) > MOST_REFERENCE_ROWS:
            rng = np.random.default_rng(seed)
            drawn = rng.choice(len(values), MOST_REFERENCE_ROWS, replace=False)
            values = values[np.sort(drawn)]  # sorted numbers stay so
            sample = Sample(name, sample.kind, values, len(values))
        is_number = sample.kind == "numeric"
        is_wide = is_number and distinct_of_sorted(values).size > MOST_DISCRETE_VALUES
        return cls(sample, not is_wide, n_rows, n_missing)

    def chance_of_none(self, n_rows: int) -> float:
        """Return how likely so many rows have no value by chance, by Fisher's exact test."""
        i = np.arange(1, n_rows + 1)
        return float(np.prod((self.n_missing + i) / (self.n_rows + i)))


def drift_over_time(
    reference: Columns,
    current: Mapping[str, NDArray[Any]],
    *,
    tests: Mapping[str, str],
    timeline: Timeline | None = None,
    chunk: str | None = None,
    alpha: float = 0.05,
    correction: Correction = "benjamini_hochberg",
    seed: int = 0,
) -> DriftOverTime:
    """Compare each chunk of the current rows with the reference, and date each column's drift.

    A column drifts in a chunk when a test of one distribution (Kolmogorov-Smirnov for numbers,
    chi-square for categories) is significant after correction for all columns in all chunks, and,
    where the column's test is a distance, the distance reaches its threshold too: in a small
    chunk any distance is large by chance. A chunk without any value of a column is a drifted one
    where the reference has so few missing that chance does not explain it (Fisher's exact test). A
    column drifts since its first such chunk.

    Texts and vectors are compared by their own tests, whose p values cannot fall below about
    1/1,250 (texts) or 1/5,000 (vectors). Where the correction asks for less, the earliest chunks
    that show the least there is, ten at most, are compared again with as many permutations as it
    needs, 50,000 at most. Where that is not enough, the summary says so. Of a column with more
    than 20,000 reference values so many are drawn once, by ``seed``.

    Where the extra ``streams`` is installed, a detector reads each drifted column of numbers row
    by row and dates its change more closely (`change_of`); it decides nothing.

    Args:
        reference: columns of the reference, or the samples of a `Baseline`.
        current: column name to array of shape ``(n_rows,)``.
        tests: the test of each column that is compared.
        timeline: when each current row was; None takes them as they stand.
        chunk: as for `cut`.
        alpha: limit of the adjusted p values.
        correction: how they are adjusted.
        seed: of the reference values that are drawn.

    Raises:
        InvalidInputError: the rows cannot be cut so, or columns differ in length.
    """
    parts = cut(_n_rows(current, tests, timeline), timeline, chunk)
    before = {name: _Reference.read(name, reference[name], seed) for name in tests}
    found: dict[Cell, _Found] = {}
    for i, part in enumerate(parts):
        for name, test in tests.items():
            found[i, name] = _compare(name, before[name], current[name][part.rows], test)
    if all(result.is_empty for result in found.values()):
        raise InvalidInputError("No chunk has a value of any column, so none can be compared.")
    judged = _Judged.of(found, alpha, correction)
    unclear = _unclear(found, judged, tests, alpha / len(found), correction)
    if unclear:
        needed = _needed(found, judged, unclear, alpha, correction)
        again = [(i, n) for i, n in unclear if can_reach(tests[n], needed)][:MOST_REFINED]
        for i, name in again:
            rows = current[name][parts[i].rows]
            found[i, name] = _compare_finely(name, before[name], rows, tests[name], needed)
        judged = _Judged.of(found, alpha, correction)
        unclear = [cell for cell in unclear if cell not in again and cell not in judged.drifted]
    chunks = tuple(_chunk(i, part, found, judged) for i, part in enumerate(parts))
    dated = _dated(chunks, tests)
    emptied = [(i, name) for i, name in judged.drifted if found[i, name].is_empty]
    said = [dated.summary, *_said_of_empty(emptied), *_said(unclear, found)]
    dated = dated.model_copy(update={"summary": " ".join(said)})
    names = [name for name in dated.columns_since if before[name].sample.kind == "numeric"]
    changes = _changes({n: before[n].sample.values for n in names}, current, timeline)
    return dated.model_copy(update={"changes": changes})


def dating_notice(reference: Columns, names: Iterable[str]) -> tuple[str, ...]:
    """Return that the reference of the dating was drawn, if it was."""
    columns = [reference[name] for name in names]
    n_rows = [c.n_rows if isinstance(c, Sample) else c.shape[0] for c in columns]
    if all(n <= MOST_REFERENCE_ROWS for n in n_rows):
        return ()
    return (
        f"Chunks are compared with {MOST_REFERENCE_ROWS:,} rows of the reference, drawn at random; "
        "the whole samples with all rows.",
    )


def _changes(
    before: Mapping[str, NDArray[np.float64]],
    current: Mapping[str, NDArray[Any]],
    timeline: Timeline | None,
) -> dict[str, str]:
    """Return the moment from which each column changed; none without the extra ``streams``."""
    if not before or not detectors_are_there():
        return {}
    order, moments = ordered(len(current[next(iter(before))]), timeline)
    found = {name: change_of(values, current[name][order]) for name, values in before.items()}
    return {
        name: moments.label(moments.values[order[change.since]])
        for name, change in found.items()
        if change is not None
    }


def _n_rows(
    current: Mapping[str, NDArray[Any]], names: Iterable[str], timeline: Timeline | None
) -> int:
    sizes: dict[str, int] = {f"column {name!r}": current[name].shape[0] for name in names}
    if timeline is not None:
        sizes["the time column"] = timeline.values.shape[0]
    first = next(iter(sizes))
    n_rows: int = sizes[first]
    for name, size in sizes.items():
        if size != n_rows:
            raise InvalidInputError(
                f"Of the current sample {first} has {n_rows} rows and {name} {size}; to be cut "
                "into chunks all need as many. Fill what is missing with null."
            )
    return n_rows


def _compare(name: str, before: _Reference, rows: NDArray[Any], test: str) -> _Found:
    if not _has_value(rows):
        return _Found(before.chance_of_none(len(rows)), is_far=True, is_empty=True)
    pair = Pair.read(name, {name: before.sample}, {name: rows})
    if test in OWN_NULL:
        return _Found(measure(pair, test).p_value or 0.0, is_far=True)
    is_discrete = before.may_be_discrete and pair.is_discrete
    chance = measure(pair, "chi_square" if is_discrete else "ks")
    entry = DRIFT_TESTS[test]
    is_far = entry.measure == "p_value" or measure(pair, test).statistic >= entry.threshold
    return _Found(1.0 if chance.p_value is None else chance.p_value, is_far)


def _compare_finely(
    name: str, before: _Reference, rows: NDArray[Any], test: str, p_value: float
) -> _Found:
    pair = Pair.read(name, {name: before.sample}, {name: rows})
    found = measure_finely(pair, test, p_value).p_value
    return _Found(1.0 if found is None else found, is_far=True)


def _needed(
    found: Mapping[Cell, _Found],
    judged: _Judged,
    unclear: Sequence[Cell],
    alpha: float,
    correction: Correction,
) -> float:
    """Return the p value that unclear cells need to be significant, if all of them have it."""
    n_with = len(judged.drifted) + min(len(unclear), MOST_REFINED)
    return alpha / len(found) * (n_with if correction == "benjamini_hochberg" else 1)


def _unclear(
    found: Mapping[Cell, _Found],
    judged: _Judged,
    tests: Mapping[str, str],
    needed: float,
    correction: Correction,
) -> list[Cell]:
    """Return the cells whose tests gave the least p value they have, which is not enough."""
    if correction == "none":
        return []
    return [
        (i, name)
        for (i, name), result in found.items()
        if (i, name) not in judged.drifted
        and not result.is_empty
        and needed < LEAST_P.get(tests[name], 0.0)
        and result.p_value <= 1.01 * LEAST_P[tests[name]]
    ]


def _said(unclear: Sequence[Cell], found: Mapping[Cell, _Found]) -> list[str]:
    if not unclear:
        return []
    return [
        f"Not dated, though a chunk differs as clearly as the test can say: {_listed(unclear)}; "
        f"with {len(found)} comparisons its p values cannot be small enough. Compare fewer "
        "columns, or larger chunks."
    ]


def _said_of_empty(emptied: Sequence[Cell]) -> list[str]:
    return [f"Without any value in some of them: {_listed(emptied)}."] if emptied else []


def _listed(cells: Sequence[Cell]) -> str:
    return ", ".join(repr(name) for name in sorted({name for _, name in cells}))


def _has_value(rows: NDArray[Any]) -> bool:
    if rows.dtype.kind in "iuf":
        is_known = np.isfinite(rows)
        return bool(is_known.any() if rows.ndim == 1 else is_known.all(axis=1).any())
    return not all(is_missing(value) for value in rows.tolist())


def _chunk(
    i: int,
    part: Chunk,
    found: Mapping[Cell, _Found],
    judged: _Judged,
) -> DriftChunk:
    compared = [name for at, name in found if at == i]
    drifted = [name for name in compared if (i, name) in judged.drifted]
    names = sorted(drifted, key=lambda name: (judged.adjusted[i, name], name))
    return DriftChunk(
        start=part.start,
        end=part.end,
        n_rows=part.rows.size,
        drifted_columns=tuple(names),
        share_drifted=len(names) / len(compared) if compared else 0.0,
    )


def _dated(chunks: Sequence[DriftChunk], names: Mapping[str, str]) -> DriftOverTime:
    since: dict[str, str] = {}
    for chunk in chunks:
        for name in chunk.drifted_columns:
            since.setdefault(name, chunk.start)
    n_drifted = sum(bool(chunk.drifted_columns) for chunk in chunks)
    first = next((chunk.start for chunk in chunks if chunk.drifted_columns), None)
    summary = (
        f"No column drifted in any of {len(chunks)} chunks."
        if first is None
        else f"Since {first}: {len(since)} of {len(names)} columns drifted, in {n_drifted} of "
        f"{len(chunks)} chunks."
    )
    return DriftOverTime(since=first, columns_since=since, chunks=tuple(chunks), summary=summary)
