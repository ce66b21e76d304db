"""Real tables that ship with scikit-learn and statsmodels, as problems for a search.

At most 1,000 rows of each (the latest in time order, else drawn from a fixed seed), so that a
search over many of them takes minutes. Columns that give the target away are left out.
"""

import hashlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from sklearn.datasets import load_digits

from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.training.models import TrainingSpec

__all__ = ["Problem", "real_problems"]

MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One question on one table; ``table`` is equal for questions on the same rows."""

    name: str
    table: str
    task: str
    dataset: Dataset
    time_column: str | None = None
    group_column: str | None = None

    def spec(self, **given: Any) -> TrainingSpec:
        """Return what to train, completed by ``given``.

        Without the past of the target: the others do not see what came before a held-out row.
        """
        return TrainingSpec.model_validate(
            {
                "source": self.dataset.source,
                "task": self.task,
                "time_column": self.time_column,
                "group_column": self.group_column,
                "horizon": 0,
                **given,
            }
        )


def real_problems() -> list[Problem]:
    """Return all of them, those of a table beside one another."""
    return [*_from_sklearn(), *_from_surveys(), *_from_economics(), *_from_series()]


def _from_sklearn() -> Iterator[Problem]:
    for name in ("iris", "wine", "breast_cancer"):
        yield _problem(name, _builtin(name), _target(name), "classification")
    digits = load_digits()
    pixels = pl.DataFrame(digits.data, schema=[f"p{i}" for i in range(64)])
    digit = pl.Series("digit", [str(d) for d in digits.target])
    yield _problem("digits", pixels.with_columns(digit), "digit", "classification")
    yield _problem("diabetes", _builtin("diabetes"), _target("diabetes"), "regression")


def _from_surveys() -> Iterator[Problem]:
    anes = _statsmodels("anes96").drop("logpopul")
    yield _problem("anes96, vote", anes, "vote", "classification", table="anes96")
    yield _problem("anes96, party", anes.drop("vote"), "pid", "classification", table="anes96")
    fair = _builtin("fair")
    yield _problem("fair", fair, "affairs", "regression", table="fair")
    any_affair = fair.with_columns(affairs=pl.col("affairs") > 0)
    yield _problem("fair, any", any_affair, "affairs", "classification", table="fair")
    randhie = _builtin("randhie")
    yield _problem("randhie", randhie, "mdvis", "regression", table="randhie")
    any_visit = randhie.with_columns(mdvis=pl.col("mdvis") > 0)
    yield _problem("randhie, any", any_visit, "mdvis", "classification", table="randhie")
    travel = _statsmodels("modechoice")
    yield _problem("modechoice", travel, "choice", "classification", group_column="individual")


def _from_economics() -> Iterator[Problem]:
    passed = pl.col("nabove") / (pl.col("nabove") + pl.col("nbelow"))
    schools = _statsmodels("star98").select(passed.alias("passed"), pl.exclude("nabove", "nbelow"))
    yield _problem("star98", schools, "passed", "regression")
    yield _problem("grunfeld", _statsmodels("grunfeld"), "invest", "regression")
    yield _problem("engel", _statsmodels("engel"), "foodexp", "regression")
    yield _problem("cancer", _statsmodels("cancer"), "cancer", "regression")
    yield _problem("ccard", _statsmodels("ccard"), "avgexp", "regression")


def _from_series() -> Iterator[Problem]:
    macro, spots = _builtin("macrodata"), _builtin("sunspots")
    yield _problem("macrodata", macro, "unemp", "regression", time_column="date")
    yield _problem("sunspots", spots, "activity", "regression", time_column="year")
    co2 = _statsmodels("co2").with_row_index("week").drop_nulls("co2")
    lags = [pl.col("co2").shift(n).alias(f"co2_lag_{n}") for n in (1, 2, 4, 26, 52)]
    yield _problem("co2", co2.with_columns(lags).slice(52), "co2", "regression", time_column="week")


def _problem(
    name: str,
    frame: pl.DataFrame,
    target: str,
    task: str,
    *,
    table: str | None = None,
    time_column: str | None = None,
    group_column: str | None = None,
) -> Problem:
    rows = normalise(frame)
    if time_column is not None:
        rows = rows.sort(time_column).tail(MOST_ROWS)
    elif rows.height > MOST_ROWS:
        rows = rows.sample(MOST_ROWS, seed=0)
    digest = hashlib.sha256(f"{name}\n{rows.write_csv()}".encode()).hexdigest()
    dataset = Dataset(name, rows, digest, name, target)
    return Problem(name, table or name, task, dataset, time_column, group_column)


def _builtin(name: str) -> pl.DataFrame:
    return load_dataset(f"builtin:{name}", roots=[], max_bytes=1).frame


def _target(name: str) -> str:
    target = load_dataset(f"builtin:{name}", roots=[], max_bytes=1).default_target
    assert target is not None
    return target


def _statsmodels(name: str) -> pl.DataFrame:
    load: Callable[[], Any] = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas
    frame: pl.DataFrame = pl.from_pandas(load().data)
    return frame.rename(str.lower)
