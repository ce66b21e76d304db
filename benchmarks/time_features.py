"""What lags, windows and predicted changes are worth on time series.

Sets: generated ones of known best error (a second-order autoregression, a random walk, white noise,
a trend with a weekly season) and series that ship with statsmodels. The latest fifth is held out
and predicted one step ahead: the value before each held-out row is known when it is predicted.
Families have their defaults; the lines of "search" are whole trainings of so many trials, with and
without the past, chosen by cross-validation alone. Figures are root mean square errors on held-out
rows, beside that of predicting the value before. The processor is bound to one core.
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _cores import bind_to_core
from _figures import machine
from _real_tables import _builtin, _statsmodels

from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.scoring import pipeline_of
from ml_orchestrator.training.search import train
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainers import TRAINERS

FAMILIES = ("linear", "histogram_boosting", "forest")
WAYS = ("none", "values", "change")
QUICK = ("autoregression", "random walk", "macrodata")
N_TRIALS = 25


@dataclass(frozen=True, slots=True)
class Series:
    """A table in time order; ``best`` is the deviation of its noise, where that is known."""

    name: str
    frame: pl.DataFrame
    target: str
    time: str
    best: float | None = None


def main() -> None:
    """Measure and print."""
    options = _options()
    bind_to_core()
    warnings.simplefilter("ignore")
    if not options.json:
        print(machine())
    wanted = options.sets.split(",") if options.sets else QUICK if options.quick else ()
    for series in _all():
        if not wanted or series.name in wanted:
            _measure(series, N_TRIALS // 2 if options.quick else N_TRIALS, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three sets, half the trials")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--sets", default="", help="names by commas; else all")
    parser.add_argument("--seed", type=int, default=0, help="of the searches")
    return parser.parse_args()


def _all() -> Iterator[Series]:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=1_050)
    y = np.zeros(1_050)
    for t in range(2, 1_050):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + noise[t]
    yield _generated("autoregression", y[50:])
    yield _generated("random walk", np.cumsum(rng.normal(size=600)))
    yield _generated("white noise", rng.normal(size=600))
    step = np.arange(700)
    weekly = 0.2 * step + 5 * np.sin(2 * np.pi * step / 7) + rng.normal(size=700)
    yield _generated("trend and week", weekly)
    yield Series("macrodata", _builtin("macrodata"), "unemp", "date")
    yield Series("sunspots", _statsmodels("sunspots"), "sunactivity", "year")
    co2 = _statsmodels("co2").with_row_index("week").drop_nulls("co2").tail(1_500)
    yield Series("co2", co2, "co2", "week")
    yield Series("nile", _statsmodels("nile"), "volume", "year")


def _generated(name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> Series:
    frame = pl.DataFrame({"t": np.arange(len(values)), "y": values})
    return Series(name, frame, "y", "t", 1.0)


def _measure(series: Series, n_trials: int, options: argparse.Namespace) -> None:
    dataset = Dataset(series.name, normalise(series.frame), "0" * 64, series.name, series.target)
    given = {"source": series.name, "time_column": series.time, "metric": "rmse"}
    spec = TrainingSpec.model_validate(given)
    table = prepare_table(spec, dataset)
    split = plan_split(spec, table)
    truth = table.codes[np.sort(np.concatenate([split.train[-1:], split.test]))]
    before = float(np.sqrt(np.mean(np.diff(truth) ** 2)))
    _line(series, "the value before", before, before, options)
    for family in FAMILIES:
        for way in WAYS:
            params = {"trainer": family, **TRAINERS[family].first_params, "past": way}
            model = fit(pipeline_of(spec, table, params), table, split.train)
            said = predict(model, table.features.iloc[split.test], table, split.test)
            _line(series, f"{family}, past {way}", table.metric.compute(said), before, options)
    for horizon in (0, 1):
        more = {"horizon": horizon, "n_trials": n_trials, "timeout_s": 3_600, "seed": options.seed}
        with tempfile.TemporaryDirectory() as folder:
            summary = train(
                TrainingSpec.model_validate({**given, **more}),
                dataset,
                study_dir=Path(folder) / "study",
                report=lambda *_: None,
            ).summary
        found_way = summary.params.get("past", "none")
        label = f"search, {'past' if horizon else 'no past'} ({summary.trainer}, {found_way})"
        _line(series, label, summary.holdout["rmse"].estimate, before, options)


def _line(
    series: Series, what: str, error: float, before: float, options: argparse.Namespace
) -> None:
    if options.json:
        found = {"set": series.name, "what": what, "rmse": error, "value_before": before}
        print(json.dumps({**found, "best_possible": series.best}), flush=True)
        return
    best = "" if series.best is None else f" (noise {series.best:g})"
    print(f"{series.name}{best}: {what}: {error:.4g}, {error / before:.2f} of it", flush=True)


if __name__ == "__main__":
    main()
