"""What a series was before, as a step of a saved pipeline: lags and windows, never ahead."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ml_orchestrator.training.model_parts import members_of, steps_on_columns
from ml_orchestrator.training.past_rows import SeriesRows, read_rows
from ml_orchestrator.training.raw_numbers import bounded
from ml_orchestrator.training.series import Known, Places, place_rows, seasons, spacing

__all__ = ["PastValues", "remember"]

N_LAGS = 4  # of the target
WINDOWS = (4, 12)  # steps
LONGEST_MEAN = 60  # steps; the mean of a longer season is left out
MOST_NUMBERS = 10  # columns beside the target that are looked back at
MOST_REMEMBERED = 5_000  # rows
Numbers = NDArray[np.float64]


class PastValues(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns rows of time series into what was known ``horizon`` steps before each of them.

    Takes a frame with the time, the series (if there are several), the target and numeric
    columns; the target is looked back at and may be missing. Gives floats, NaN where nothing is
    known: of the target the four last values, the values one season ago (seasons are found while
    fitting), and mean, deviation, least and greatest of the last 4 and 12 steps; of up to ten
    numeric columns the last two values and the mean of four. A value counts if it is at least
    ``horizon`` steps older than the row, by the series' usual spacing.

    What is known while predicting: the last steps of each series that were seen while fitting
    (and by ``remember``), and the rows that are predicted together, where they say the target. A
    row whose past is not among these, such as one of a new series or after a gap, gets NaN for
    what is missing. Time that is missing leaves the whole row without a past.

    Args of the constructor:
        time: the column of times or numbers that orders the rows.
        target: the column that is predicted.
        series: the column that names the series; None is one series.
        labels: for classes, those whose occurrence is looked back at, as text; empty for numbers.
        horizon: how many steps ahead is predicted, at least 1.
        is_relative: values less the last known one, for a model of changes.
        gives: ``features``, or ``level``, the last known value of the target alone, however old.
    """

    reads_other_rows = True  # requests must not share a batch

    def __init__(
        self,
        *,
        time: str,
        target: str,
        series: str | None = None,
        labels: Sequence[str] = (),
        horizon: int = 1,
        is_relative: bool = False,
        gives: str = "features",
    ) -> None:
        self.time = time
        self.target = target
        self.series = series
        self.labels = labels
        self.horizon = horizon
        self.is_relative = is_relative
        self.gives = gives

    def fit(self, X: pd.DataFrame, y: object = None) -> "PastValues":  # noqa: N803 scikit-learn's
        """Learn spacing and seasons, and keep the last steps of each series."""
        self._learn(X)
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> Numbers:  # noqa: N803
        """Do both, reading the frame once."""
        return self._before(self._learn(X))

    def transform(self, X: pd.DataFrame) -> Numbers:  # noqa: N803
        """Return what was before each row.

        Raises:
            InvalidInputError: a time is neither missing nor a date, where times are dates.
        """
        return self._before(self._read(X))

    def _learn(self, X: pd.DataFrame) -> SeriesRows:  # noqa: N803
        """Fit, and return the rows of the frame."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        others = {self.time, self.target, self.series}
        self.numbers_ = [name for name in X.columns if name not in others][:MOST_NUMBERS]
        read = self._read(X)
        rows = _placeable(read)
        codes = rows.codes
        self.step_ = spacing(codes, rows.times)
        self.seasons_: list[int] = []
        places = place_rows(codes, rows.times, step=self.step_, furthest=self._furthest)
        if not self.labels:
            self.seasons_ = list(seasons(places, codes, rows.values[:, 0]))
        self._keep(rows)
        return read

    def notices(self, X: pd.DataFrame) -> list[str]:  # noqa: N803
        """Say how many rows to predict lie further ahead than the model was made and judged for.

        To predict are rows without a target. A row counts if the last known target of its series
        is more than ``horizon`` steps older, or if there is none.
        """
        read = self._read(X)
        asked = read.take(~np.isfinite(read.values[:, 0]))
        rows, places, wanted = self._among_known(_placeable(read))
        is_asked = ~np.isfinite(rows.values[wanted, 0])
        ahead = places.known(rows.values[:, 0]).steps_since(wanted[is_asked])
        n_asked, n_near = len(asked.times), int((ahead <= self.horizon).sum())
        if n_near == n_asked:
            return []
        steps = "1 step" if self.horizon == 1 else f"{self.horizon:,} steps"
        return [
            f"{n_asked - n_near:,} of {n_asked:,} rows to predict lie further ahead than the "
            f"horizon, {steps} after the last known {self.target!r} of their series, or have no "
            "known past: what is missing of it is filled in, and these answers are worse than the "
            "held-out score says. Send the rows since then with their target, train again with "
            "them, or train with a longer horizon."
        ]

    def _before(self, asked: SeriesRows) -> Numbers:
        rows, places, wanted = self._among_known(_placeable(asked))
        parts = self._parts(places, rows.values, wanted)
        found = np.full((len(asked.times), len(self._names())), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            found[np.isfinite(asked.times)] = np.column_stack(list(parts))
        return found if self.gives == "level" else bounded(found)

    def _among_known(self, placeable: SeriesRows) -> tuple[SeriesRows, Places, NDArray[np.int64]]:
        """Return these rows behind the known ones, all their places, and which of all they are."""
        rows = self._history.then(placeable)
        places = place_rows(rows.codes, rows.times, step=self.step_, furthest=self._furthest)
        n_rows = len(rows.times)
        return rows, places, np.arange(n_rows - len(placeable.times), n_rows)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return a name for every output column."""
        return np.asarray(self._names(), dtype=object)

    def remember(self, X: pd.DataFrame) -> None:  # noqa: N803
        """Put rows behind those that were seen while fitting; nothing is learnt from them.

        Up to 5,000 are kept whole, so that they themselves can be predicted again as they were;
        of more the last steps of each series.
        """
        rows = self._history.then(_placeable(self._read(X)))
        if len(rows.times) > MOST_REMEMBERED:
            self._keep(rows)
        else:
            self._set_history(rows)

    @property
    def _history(self) -> SeriesRows:
        return SeriesRows(self.history_series_, self.history_times_, self.history_values_)

    @property
    def _furthest(self) -> int:
        """How many steps are looked back at most."""
        return self.horizon + max([*WINDOWS, *self.seasons_, self.horizon]) + 2

    def _keep(self, rows: SeriesRows) -> None:
        codes = rows.codes
        places = place_rows(codes, rows.times, step=self.step_, furthest=self._furthest)
        last = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int64)
        np.maximum.at(last, codes, places.keys)
        self._set_history(rows.take(places.keys > last[codes] - self._furthest))

    def _set_history(self, rows: SeriesRows) -> None:
        self.history_series_, self.history_times_ = rows.series, rows.times
        self.history_values_ = rows.values

    def _read(self, frame: pd.DataFrame) -> SeriesRows:
        return read_rows(
            frame,
            time=self.time,
            target=self.target,
            series=self.series,
            labels=self.labels,
            numbers=self.numbers_,
        )

    def _n_channels(self) -> int:
        return max(1, len(self.labels))

    def _parts(
        self, places: Places, values: Numbers, asked: NDArray[np.int64]
    ) -> Iterator[Numbers]:
        for place in range(self._n_channels()):
            known = places.known(values[:, place], horizon=self.horizon)
            level = known.last(asked, self.horizon)
            if self.gives == "level":
                yield level
                return
            yield from self._of_target(known, asked, level if self.is_relative else 0.0)
        for place in range(self._n_channels(), values.shape[1]):
            known = places.known(values[:, place], horizon=self.horizon)
            yield from self._of_number(known, asked, values[asked, place])

    def _of_target(
        self, known: Known, asked: NDArray[np.int64], base: Numbers | float
    ) -> Iterator[Numbers]:
        for value in known.before(asked, np.array(self._lags(), dtype=np.int64)).T:
            yield value - base
        for window in WINDOWS:
            past = known.before(asked, self._window(window))
            mean, deviation, least, most = _summary(past)
            yield from (mean - base, deviation, least - base, most - base)
        for season in self._short_seasons():
            yield _summary(known.before(asked, self._window(season)))[0] - base

    def _of_number(self, known: Known, asked: NDArray[np.int64], now: Numbers) -> Iterator[Numbers]:
        past = known.before(asked, self._window(WINDOWS[0]))
        last, before, mean = past[:, 0], past[:, 1], _summary(past)[0]
        if self.is_relative:
            yield from (now - last, last - before, last - mean)
        else:
            yield from (last, before, mean)

    def _window(self, length: int) -> NDArray[np.int64]:
        return np.arange(self.horizon, self.horizon + length, dtype=np.int64)

    def _lags(self) -> list[int]:
        """Return how many steps back; a season that is shorter than the horizon is repeated."""
        first = self.horizon + (1 if self.is_relative else 0)  # the last value less itself is 0
        lags = set(range(first, self.horizon + N_LAGS))
        for season in self.seasons_:
            whole = season * -(-self.horizon // season)
            lags |= {whole, whole + self.horizon}
        return sorted(lag for lag in lags if lag <= self._furthest)

    def _short_seasons(self) -> list[int]:
        return [season for season in self.seasons_ if season <= LONGEST_MEAN]

    def _names(self) -> list[str]:
        if self.gives == "level":
            return [f"{self.target}_last_known"]
        names = []
        for label in self.labels or ("",):
            of = f"{self.target}_{label}" if label else self.target
            names += [f"{of}_lag_{lag}" for lag in self._lags()]
            names += [
                f"{of}_{what}_of_{window}"
                for window in WINDOWS
                for what in ("mean", "std", "min", "max")
            ]
            names += [f"{of}_mean_of_season_{season}" for season in self._short_seasons()]
        return names + [
            f"{name}_{what}"
            for name in self.numbers_
            for what in ("past_1", "past_2", f"past_mean_of_{WINDOWS[0]}")
        ]


def remember(model: Any, frame: pd.DataFrame) -> None:
    """Let a fitted pipeline, or a blend of several, know rows that came after its training.

    Only what looks back at the past takes note of them; ``frame`` holds raw rows with the target.
    """
    for pipeline in members_of(model):
        for step, columns in steps_on_columns(pipeline):
            if isinstance(step, PastValues):
                step.remember(frame[columns])


def _placeable(rows: SeriesRows) -> SeriesRows:
    return rows.take(np.isfinite(rows.times))


def _summary(past: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return mean, deviation, least and greatest of what is known in each row, else NaN."""
    is_known = np.isfinite(past)
    count = is_known.sum(axis=1)
    some = count > 0
    filled = np.where(is_known, past, 0.0)
    mean = np.divide(filled.sum(axis=1), count, out=np.full(len(past), np.nan), where=some)
    from_mean = np.where(is_known, past - mean[:, None], 0.0)
    squares = np.divide(
        (from_mean**2).sum(axis=1), count, out=np.full(len(past), np.nan), where=some
    )
    least = np.where(some, np.where(is_known, past, np.inf).min(axis=1), np.nan)
    most = np.where(some, np.where(is_known, past, -np.inf).max(axis=1), np.nan)
    return mean, np.sqrt(squares), least, most
