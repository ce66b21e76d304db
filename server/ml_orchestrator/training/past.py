"""What a series was before, as a step of a saved pipeline: lags and windows, never ahead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ml_orchestrator.training.dates import elapsed_days
from ml_orchestrator.training.series import Places, place_rows, seasons, spacing

__all__ = ["PastValues", "as_label", "remember"]

N_LAGS = 4  # of the target
WINDOWS = (4, 12)  # steps
LONGEST_MEAN = 60  # steps; the mean of a longer season is left out
MOST_NUMBERS = 10  # columns beside the target that are looked back at
MOST_REMEMBERED = 5_000  # rows
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a frame as arrays: ``values`` has shape ``(n_rows, n_channels + n_numbers)``."""

    series: NDArray[np.str_]
    times: Numbers
    values: Numbers

    def take(self, chosen: NDArray[Any]) -> "_Rows":
        return _Rows(self.series[chosen], self.times[chosen], self.values[chosen])

    def then(self, later: "_Rows") -> "_Rows":
        return _Rows(
            np.concatenate([self.series, later.series]),
            np.concatenate([self.times, later.times]),
            np.concatenate([self.values, later.values]),
        )


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
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        others = {self.time, self.target, self.series}
        self.numbers_ = [name for name in X.columns if name not in others][:MOST_NUMBERS]
        rows = self._placeable(self._read(X))
        codes = _codes(rows.series)
        self.step_ = spacing(codes, rows.times)
        self.seasons_: list[int] = []
        places = place_rows(codes, rows.times, step=self.step_, furthest=self._furthest)
        if not self.labels:
            self.seasons_ = list(seasons(places, codes, rows.values[:, 0]))
        self._keep(rows)
        return self

    def transform(self, X: pd.DataFrame) -> Numbers:  # noqa: N803
        """Return what was before each row.

        Raises:
            InvalidInputError: a time is neither missing nor a date, where times are dates.
        """
        asked = self._read(X)
        has_place = np.isfinite(asked.times)
        rows = self._history.then(asked.take(has_place))
        places = place_rows(
            _codes(rows.series), rows.times, step=self.step_, furthest=self._furthest
        )
        wanted = np.arange(len(rows.times) - int(has_place.sum()), len(rows.times))
        parts = self._parts(places, rows.values, wanted)
        found = np.full((len(X), len(self._names())), np.nan)
        found[has_place] = np.column_stack(list(parts))
        return found

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return a name for every output column."""
        return np.asarray(self._names(), dtype=object)

    def remember(self, X: pd.DataFrame) -> None:  # noqa: N803
        """Put rows behind those that were seen while fitting; nothing is learnt from them.

        Up to 5,000 are kept whole, so that they themselves can be predicted again as they were;
        of more the last steps of each series.
        """
        rows = self._history.then(self._placeable(self._read(X)))
        if len(rows.times) > MOST_REMEMBERED:
            self._keep(rows)
        else:
            self._set_history(rows)

    @property
    def _history(self) -> _Rows:
        return _Rows(self.history_series_, self.history_times_, self.history_values_)

    @property
    def _furthest(self) -> int:
        """How many steps are looked back at most."""
        return self.horizon + max([*WINDOWS, *self.seasons_, self.horizon]) + 2

    def _keep(self, rows: _Rows) -> None:
        codes = _codes(rows.series)
        places = place_rows(codes, rows.times, step=self.step_, furthest=self._furthest)
        last = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int64)
        np.maximum.at(last, codes, places.keys)
        self._set_history(rows.take(places.keys > last[codes] - self._furthest))

    def _set_history(self, rows: _Rows) -> None:
        self.history_series_, self.history_times_ = rows.series, rows.times
        self.history_values_ = rows.values

    def _placeable(self, rows: _Rows) -> _Rows:
        return rows.take(np.isfinite(rows.times))

    def _read(self, frame: pd.DataFrame) -> _Rows:
        times = frame[self.time]
        if pd.api.types.is_numeric_dtype(times):
            moments = times.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            moments = elapsed_days(times)
        if self.series is None:
            series = np.full(len(frame), "", dtype=np.str_)
        else:
            series = np.array([as_label(value) for value in frame[self.series]], dtype=np.str_)
        columns = [*self._channels(frame[self.target]), *(_number(frame[n]) for n in self.numbers_)]
        return _Rows(series, moments, np.column_stack(columns))

    def _channels(self, target: "pd.Series[Any]") -> Iterator[Numbers]:
        if not self.labels:
            yield _number(target)
            return
        is_missing = target.isna().to_numpy()
        texts = np.array([as_label(value) for value in target], dtype=np.str_)
        for label in self.labels:
            yield np.where(is_missing, np.nan, (texts == label).astype(np.float64))

    def _n_channels(self) -> int:
        return max(1, len(self.labels))

    def _parts(
        self, places: Places, values: Numbers, asked: NDArray[np.int64]
    ) -> Iterator[Numbers]:
        for place in range(self._n_channels()):
            known = np.flatnonzero(np.isfinite(values[:, place]))
            level = places.last(asked, self.horizon, known, values[known, place])
            if self.gives == "level":
                yield level
                return
            yield from self._of_target(places, asked, known, values[known, place], level)
        for place in range(self._n_channels(), values.shape[1]):
            known = np.flatnonzero(np.isfinite(values[:, place]))
            now = values[asked, place]
            yield from self._of_number(places, asked, known, values[known, place], now)

    def _of_target(
        self,
        places: Places,
        asked: NDArray[np.int64],
        known: NDArray[np.int64],
        values: Numbers,
        level: Numbers,
    ) -> Iterator[Numbers]:
        base = level if self.is_relative else 0.0
        lags = np.array(self._lags(), dtype=np.int64)
        for value in places.before(asked, lags, known, values).T:
            yield value - base
        for window in WINDOWS:
            past = places.before(asked, self._window(window), known, values)
            mean, deviation, least, most = _summary(past)
            yield from (mean - base, deviation, least - base, most - base)
        for season in self._short_seasons():
            past = places.before(asked, self._window(season), known, values)
            yield _summary(past)[0] - base

    def _of_number(
        self,
        places: Places,
        asked: NDArray[np.int64],
        known: NDArray[np.int64],
        values: Numbers,
        now: Numbers,
    ) -> Iterator[Numbers]:
        past = places.before(asked, self._window(WINDOWS[0]), known, values)
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
    for _, pipeline in getattr(model, "members", [("", model)]):
        for _, branch, columns in pipeline.named_steps["columns"].transformers_:
            for step in getattr(branch, "named_steps", {}).values():
                if isinstance(step, PastValues):
                    step.remember(frame[list(columns)])


def as_label(value: object) -> str:
    """Return a class or the name of a series as text; 1.0, a number beside missing ones, is 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _codes(series: NDArray[np.str_]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = np.unique(series, return_inverse=True)[1].astype(np.int64)
    return codes


def _number(column: "pd.Series[Any]") -> Numbers:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


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
