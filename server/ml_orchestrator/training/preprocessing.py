"""From raw columns to numbers, as part of the saved pipeline.

Only scikit-learn's own steps, ``DateParts`` and ``TextTopics`` are used, so that the pipeline
loads with skops and a short list of trusted types, and predicts on raw rows: missing values,
None, categories, words and dates never seen before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from ml_orchestrator.training.dates import DateParts
from ml_orchestrator.training.text_features import TextTopics
from ml_orchestrator.training.trainer import Needs

__all__ = ["FeatureKinds", "build_pipeline"]

MISSING = "(missing)"
RARE_SHARE = 0.01  # categories below this share of the rows are put together
MAX_ONE_HOT = 30
MAX_ORDINAL = 200
N_ENCODING_FOLDS = 5


@dataclass(frozen=True, slots=True)
class FeatureKinds:
    """Names of the raw columns by how they are read.

    ``many_valued`` are those of ``categorical`` that are told by what the target is for them.
    """

    numeric: tuple[str, ...]
    boolean: tuple[str, ...]
    categorical: tuple[str, ...]
    temporal: tuple[str, ...]
    text: tuple[str, ...] = ()
    many_valued: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are used."""
        return (*self.numeric, *self.boolean, *self.categorical, *self.temporal, *self.text)


def build_pipeline(kinds: FeatureKinds, needs: Needs, estimator: Any) -> Pipeline:
    """Return an unfitted pipeline from a frame of raw columns to predictions."""
    numbers = _number_steps(needs)
    few_valued = [name for name in kinds.categorical if name not in kinds.many_valued]
    steps = [
        ("numeric", _chain(*numbers), kinds.numeric),
        ("boolean", _chain(_boolean_codes(len(kinds.boolean)), *numbers), kinds.boolean),
        ("categorical", _chain(*_fill_text(), _category_codes(needs)), few_valued),
        ("many_valued", _target_means(needs, estimator), kinds.many_valued),
        ("temporal", _chain(DateParts(cyclic=needs.dates == "waves"), *numbers), kinds.temporal),
        ("text", _chain(TextTopics(), *([StandardScaler()] if needs.scales else [])), kinds.text),
    ]
    used = [(name, step, list(columns)) for name, step, columns in steps if columns]
    columns = ColumnTransformer(used, sparse_threshold=0.0)
    return Pipeline([("columns", columns), ("model", estimator)])


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
