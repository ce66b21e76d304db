"""Data sets that come with a library or are generated, by name.

The libraries are imported when a data set is loaded, so that listing the names is free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import polars as pl

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.datasets.generated import customer_churn, daily_demand, friedman1
from ml_orchestrator.datasets.models import Task
from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.extras import pip_install

__all__ = ["BUILTIN_DATASETS", "BuiltinDataset"]


@dataclass(frozen=True, slots=True)
class BuiltinDataset:
    """A table that needs no file: how to load it, what to predict and where it is from."""

    load: Callable[[], pl.DataFrame]
    default_target: str
    task: Task
    source: str
    description: str


BUILTIN_DATASETS: Catalog[BuiltinDataset] = Catalog("built-in data set")


def _statsmodels(name: str) -> ModuleType:
    try:
        return import_alone(f"statsmodels.datasets.{name}")
    except ImportError as error:
        raise UnavailableError(
            f"The data set {name!r} comes with statsmodels, which is not installed. "
            f"Install it with: {pip_install('datasets')}."
        ) from error


def _from_sklearn(name: str, target: str) -> pl.DataFrame:
    datasets = import_alone("sklearn.datasets")
    bunch: Any = getattr(datasets, f"load_{name}")()
    names = [_plain_name(n) for n in bunch.feature_names]
    frame = pl.DataFrame(bunch.data, schema=names, orient="row")
    values = bunch.target
    if "target_names" in bunch:
        values = [str(bunch.target_names[code]) for code in bunch.target]
    return frame.with_columns(pl.Series(target, values))


def _plain_name(name: str) -> str:
    return name.replace(" (cm)", "").replace(" ", "_").replace("/", "_per_")


def _from_statsmodels(name: str) -> pl.DataFrame:
    frame: pl.DataFrame = pl.from_pandas(_statsmodels(name).load_pandas().data)
    return frame.rename(str.lower)


def _macrodata() -> pl.DataFrame:
    first_month = (pl.col("quarter").cast(pl.Int32) - 1) * 3 + 1
    day = pl.date(pl.col("year").cast(pl.Int32), first_month, 1)
    return _from_statsmodels("macrodata").select(day.alias("date"), pl.all())


def _sunspots() -> pl.DataFrame:
    frame = _from_statsmodels("sunspots").rename({"sunactivity": "activity"})
    lags = [pl.col("activity").shift(n).alias(f"activity_lag_{n}") for n in (1, 2, 3, 9, 10, 11)]
    return frame.with_columns(lags).slice(11)


_UCI = "scikit-learn's copy of a UCI Machine Learning Repository table (CC BY 4.0)."

BUILTIN_DATASETS.register("iris")(
    BuiltinDataset(
        partial(_from_sklearn, "iris", "species"),
        "species",
        "classification",
        _UCI,
        "150 iris flowers of three species by four lengths (R. A. Fisher, 1936).",
    )
)
BUILTIN_DATASETS.register("wine")(
    BuiltinDataset(
        partial(_from_sklearn, "wine", "cultivar"),
        "cultivar",
        "classification",
        _UCI,
        "178 wines of three cultivars by thirteen chemical measurements.",
    )
)
BUILTIN_DATASETS.register("breast_cancer")(
    BuiltinDataset(
        partial(_from_sklearn, "breast_cancer", "diagnosis"),
        "diagnosis",
        "classification",
        _UCI,
        "569 breast tumours, malignant or benign, by thirty measurements of cell nuclei "
        "(Wisconsin diagnostic, 1995).",
    )
)
BUILTIN_DATASETS.register("diabetes")(
    BuiltinDataset(
        partial(_from_sklearn, "diabetes", "progression"),
        "progression",
        "regression",
        "scikit-learn's copy of the table of Efron, Hastie, Johnstone and Tibshirani, "
        "Least angle regression, 2004.",
        "442 diabetes patients and the progression of their disease after a year, by ten "
        "standardised measurements.",
    )
)
BUILTIN_DATASETS.register("randhie")(
    BuiltinDataset(
        partial(_from_statsmodels, "randhie"),
        "mdvis",
        "regression",
        "statsmodels' copy of the RAND Health Insurance Experiment (public domain).",
        "20,190 person-years and their visits to a doctor (mdvis), by insurance plan and health.",
    )
)
BUILTIN_DATASETS.register("fair")(
    BuiltinDataset(
        partial(_from_statsmodels, "fair"),
        "affairs",
        "regression",
        "statsmodels' copy, with the author's permission, of the data of R. Fair, A theory of "
        "extramarital affairs, 1978.",
        "6,366 answers to a magazine's survey on marriage and affairs.",
    )
)
BUILTIN_DATASETS.register("macrodata")(
    BuiltinDataset(
        _macrodata,
        "unemp",
        "regression",
        "statsmodels' copy of series of the Federal Reserve Bank of St. Louis and the Bureau "
        "of Labor Statistics (public domain).",
        "203 quarters of the economy of the United States, 1959 to 2009, in time order (date).",
    )
)
BUILTIN_DATASETS.register("sunspots")(
    BuiltinDataset(
        _sunspots,
        "activity",
        "regression",
        "statsmodels' copy of the yearly counts of the National Geophysical Data Center "
        "(public domain).",
        "298 years of sunspot activity, 1711 to 2008, in time order (year), with the activity "
        "of earlier years beside each.",
    )
)
_GENERATED = "generated by ml-orchestrator from a fixed seed; free to use."
BUILTIN_DATASETS.register("friedman1")(
    BuiltinDataset(
        friedman1,
        "y",
        "regression",
        _GENERATED,
        "1,000 rows of Friedman's first function: five columns matter, five are noise, and the "
        "best possible root mean square error is 1.",
    )
)
BUILTIN_DATASETS.register("customer_churn")(
    BuiltinDataset(
        customer_churn,
        "churned",
        "classification",
        _GENERATED,
        "4,000 customers with dates, categories, booleans and missing values; a logistic truth.",
    )
)
BUILTIN_DATASETS.register("daily_demand")(
    BuiltinDataset(
        daily_demand,
        "demand",
        "regression",
        _GENERATED,
        "1,460 days of demand in time order (date); the effect of price changes after 1,095.",
    )
)
