"""From raw columns to numbers, as part of the saved pipeline.

Only scikit-learn's own steps and a few of ours are used, so that the pipeline loads with skops
and a short list of trusted types, and predicts on raw rows: missing values, None, categories,
words and dates never seen before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from ml_orchestrator.training.changes import ChangeFromLast
from ml_orchestrator.training.dates import DateParts
from ml_orchestrator.training.pair_features import PairFeatures
from ml_orchestrator.training.past import PastValues
from ml_orchestrator.training.past_columns import PastColumns
from ml_orchestrator.training.raw_numbers import LARGEST
from ml_orchestrator.training.screening import ShadowScreening
from ml_orchestrator.training.text_features import topics_for
from ml_orchestrator.training.trainer import Needs

__all__ = ["OPTION_NAMES", "FeatureKinds", "FeatureOptions", "build_pipeline"]

MISSING = "(missing)"
RARE_SHARE = 0.01  # categories below this share of the rows are put together
MAX_ONE_HOT = 30
MAX_ORDINAL = 200
N_ENCODING_FOLDS = 5
OPTION_NAMES = ("past", "pairs", "screening")  # of FeatureOptions, beside a family's parameters


@dataclass(frozen=True, slots=True)
class FeatureKinds:
    """Names of the raw columns by how they are read.

    ``many_valued`` are those of ``categorical`` that are told by what the target is for them.
    ``past`` is what can be looked back at, where rows are time series; ``is_ordered`` says that
    rows to fit on come in time order.
    """

    numeric: tuple[str, ...]
    boolean: tuple[str, ...]
    categorical: tuple[str, ...]
    temporal: tuple[str, ...]
    text: tuple[str, ...] = ()
    many_valued: tuple[str, ...] = ()
    past: PastColumns | None = None
    is_ordered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are used."""
        return (*self.numeric, *self.boolean, *self.categorical, *self.temporal, *self.text)


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """What is done beyond reading the columns.

    ``past``: lags and windows as features (values), or of the target's change since its last
    known value, which is predicted then (change). ``pairs``: products and ratios that tell
    something (``PairFeatures``). ``screening``: columns that tell nothing are left out
    (``ShadowScreening``).
    """

    past: Literal["none", "values", "change"] = "none"
    pairs: Literal["none", "chosen"] = "none"
    screening: Literal["none", "shadows"] = "none"


def build_pipeline(
    kinds: FeatureKinds, needs: Needs, estimator: Any, options: FeatureOptions | None = None
) -> Pipeline:
    """Return an unfitted pipeline from a frame of raw columns to predictions."""
    chosen = options or FeatureOptions()
    numbers = _number_steps(needs)
    few_valued = [name for name in kinds.categorical if name not in kinds.many_valued]
    first = [PairFeatures()] if chosen.pairs == "chosen" else _bounds(kinds.numeric)
    steps = [
        *_past_steps(kinds, needs, chosen),
        ("numeric", _chain(*first, *numbers), kinds.numeric),
        ("boolean", _chain(_boolean_codes(len(kinds.boolean)), *numbers), kinds.boolean),
        ("categorical", _chain(*_fill_text(), _category_codes(needs)), few_valued),
        ("many_valued", _target_means(needs, estimator), kinds.many_valued),
        ("temporal", _chain(DateParts(cyclic=needs.dates == "waves"), *numbers), kinds.temporal),
        (
            "text",
            _chain(topics_for(scaled=needs.scales), *([StandardScaler()] if needs.scales else [])),
            kinds.text,
        ),
    ]
    used = [(name, step, list(columns)) for name, step, columns in steps if columns]
    columns = ColumnTransformer(used, sparse_threshold=0.0)
    is_change = chosen.past == "change"
    screening = []
    if chosen.screening == "shadows":
        is_class = not is_regressor(estimator)
        step = ShadowScreening(
            is_class=is_class, n_fixed=int(is_change), is_ordered=kinds.is_ordered
        )
        screening = [("screening", step)]
    model = ChangeFromLast(estimator) if is_change else estimator
    return Pipeline([("columns", columns), *screening, ("model", model)])


def _past_steps(
    kinds: FeatureKinds, needs: Needs, options: FeatureOptions
) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return the branches that look back, the last known value in front for a model of changes."""
    past = kinds.past
    if past is None or options.past == "none":
        return []
    given: dict[str, Any] = {
        "time": past.time,
        "target": past.target,
        "series": past.series,
        "labels": list(past.labels),
        "horizon": past.horizon,
    }
    names = (past.time, *past.raw)
    columns = (*names, *(name for name in kinds.numeric if name not in names))
    # No flags for what is missing: at the start of a series everything is, in a known pattern.
    filled = [SimpleImputer(strategy="median", keep_empty_features=True)] if needs.imputes else []
    scaled = [StandardScaler()] if needs.scales else []
    is_change = options.past == "change"
    features = PastValues(**given, is_relative=is_change)
    branch = ("past", _chain(features, *filled, *scaled), columns)
    if not is_change:
        return [branch]
    return [("level", _chain(PastValues(**given, gives="level")), names), branch]


def _target_means(needs: Needs, estimator: Any) -> Any:
    """Return what gives each category the mean of the target in other rows, drawn to the whole.

    While fitting, a row's own target and those of its fold are left out of what it is given
    (D. Micci-Barreca, 2001, with cross-fitting); a category never seen gets the mean of all.
    """
    encoder = TargetEncoder(
        target_type="continuous" if is_regressor(estimator) else "auto",
        cv=KFold(N_ENCODING_FOLDS, shuffle=True, random_state=0),
    )
    return _chain(*_fill_text(), encoder, *([StandardScaler()] if needs.scales else []))


def _chain(*steps: Any) -> Any:
    return make_pipeline(*steps)


def _number_steps(needs: Needs) -> list[Any]:
    scaler = StandardScaler(with_mean=needs.scales, with_std=needs.scales)
    if not needs.imputes:
        return [scaler]  # only makes floats of objects and None
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return [imputer, scaler] if needs.scales else [imputer]


def _bounds(columns: Sequence[str]) -> list[Any]:
    """Return a step that takes the largest number of 32 bits for larger ones, and changes no other.

    Trees refuse larger ones, and distances to them are infinite. A scaler from a range to the
    same range clips, and with it the file needs no class of ours. ``PairFeatures`` does this by
    itself.
    """
    if not columns:
        return []
    ends = pd.DataFrame({name: [-LARGEST, LARGEST] for name in columns})
    return [FrozenEstimator(MinMaxScaler((-LARGEST, LARGEST), clip=True).fit(ends))]


def _boolean_codes(n_columns: int) -> Any:
    return OrdinalEncoder(
        categories=[[False, True]] * n_columns,
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )


def _fill_text() -> list[Any]:
    # Two steps: scikit-learn 1.9 looks for either NaN or None, and raw rows may hold both.
    return [
        SimpleImputer(missing_values=marker, strategy="constant", fill_value=MISSING)
        for marker in (np.nan, None)
    ]


def _category_codes(needs: Needs) -> Any:
    if needs.categories == "ordinal":
        return OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            min_frequency=RARE_SHARE,
            max_categories=MAX_ORDINAL,
        )
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=RARE_SHARE,
        max_categories=MAX_ONE_HOT,
        sparse_output=False,
    )
