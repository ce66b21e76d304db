"""Categories that a model did not meet in training."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.threaded import Answering
from ml_orchestrator.serving.unseen import categories_of, unseen_notices
from ml_orchestrator.training.blend import BlendedRegressor
from ml_orchestrator.training.preprocessing import FeatureKinds, build_pipeline
from ml_orchestrator.training.trainers import TRAINERS

N_ROWS = 200
COLUMNS = (
    Column("age", "double", is_required=False),
    Column("city", "string", is_required=False),
    Column("shop", "string", is_required=False),
)
KINDS = FeatureKinds(
    numeric=("age",),
    boolean=(),
    categorical=("city", "shop"),
    temporal=(),
    many_valued=("shop",),
)
ROW: dict[str, Any] = {"age": 40.0, "city": "Ulm", "shop": "s1"}
NOTHING_KNOWN = (
    "The model cannot know what they mean, so answers for rows with them are worth less."
)


def fitted(
    *, cities: str = "Ulm Bonn Rom", trainer: str = "linear", estimator: Any = None
) -> Pipeline:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=N_ROWS),
            "city": np.array([*cities.split(), None], dtype=object)[rng.integers(4, size=N_ROWS)],
            "shop": np.array([f"s{n}" for n in rng.integers(40, size=N_ROWS)], dtype=object),
        }
    )
    pipeline = build_pipeline(KINDS, TRAINERS[trainer].needs, estimator or Ridge())
    return pipeline.fit(frame, frame["age"])


def model(estimator: Any) -> LoadedModel:
    return LoadedModel(estimator, COLUMNS, categories=categories_of(estimator, COLUMNS))


def test_a_category_not_seen_in_training_is_named_and_its_row_is_answered() -> None:
    strange = [{**ROW, "city": name} for name in ("Oslo", "Bern", "Oslo", "Graz", "Linz", "Kyiv")]

    answers = predict(model(fitted()), [ROW, *strange, {**ROW, "shop": "x" * 99}])

    assert len(answers.predictions) == 8
    assert answers.notices == (
        "Not seen in training, in column 'city': 'Oslo', 'Bern', 'Graz' and 2 more; in column "
        f"'shop': '{'x' * 40}…'. {NOTHING_KNOWN}",
    )


def test_known_and_missing_values_give_no_notice() -> None:
    rare_and_missing = [ROW, {**ROW, "city": None, "shop": "s39", "age": None}]
    assert predict(model(fitted()), rare_and_missing).notices == ()


def test_what_one_member_of_a_blend_has_met_is_known() -> None:
    members = [("a", fitted()), ("b", fitted(cities="Bonn Rom Oslo"))]
    blend = model(BlendedRegressor(members, [0.5, 0.5]))

    assert predict(blend, [{**ROW, "city": "Oslo"}]).notices == ()
    assert "'city': 'Bern'." in predict(blend, [{**ROW, "city": "Bern"}]).notices[0]


def test_each_request_of_a_batch_hears_of_its_own_values_alone() -> None:
    asked = [
        Request("application/json", json.dumps({"dataframe_records": [row]}).encode())
        for row in (ROW, {**ROW, "city": "Oslo"}, {**ROW, "shop": "\x1b[2J"})
    ]
    answers = [json.loads(each.body) for each in answered(asked)]

    assert [len(answer["predictions"]) for answer in answers] == [1, 1, 1]
    assert [answer.get("notices") for answer in answers] == [
        None,
        [f"Not seen in training, in column 'city': 'Oslo'. {NOTHING_KNOWN}"],
        [f"Not seen in training, in column 'shop': '\\x1b[2J'. {NOTHING_KNOWN}"],
    ]


def answered(asked: list[Request]) -> list[Outcome]:
    trees = HistGradientBoostingRegressor(max_iter=2)
    by_codes = model(fitted(trainer="histogram_boosting", estimator=trees))
    return Answering(by_codes, asked[:1]).answer(asked)


def test_of_many_columns_the_first_are_named() -> None:
    columns = [Column(f"c{n}", "string", is_required=False) for n in range(7)]
    kinds = FeatureKinds((), (), tuple(c.name for c in columns), ())
    frame = pd.DataFrame({c.name: ["a", "b"] for c in columns}, dtype=object)
    pipeline = build_pipeline(kinds, TRAINERS["linear"].needs, Ridge()).fit(frame, [0.0, 1.0])
    categories = categories_of(pipeline, columns)

    (notice,) = unseen_notices(categories, [["z"]] * 7)

    assert notice.startswith("Not seen in training, in column 'c0': 'z'; in column 'c1': 'z'; ")
    assert "in column 'c4': 'z'; and 2 more columns. The model" in notice


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(FunctionTransformer(lambda x: x), OneHotEncoder(), Ridge()),
        Ridge(),
        type("Odd", (), {"members": "abc", "steps": 1}),
        type("Odder", (), {"members": [(), 1]}),
    ],
    ids=["changed first", "no pipeline", "members of another kind", "no members"],
)
def test_of_a_model_of_another_make_no_categories_are_known(estimator: Any) -> None:
    assert categories_of(estimator, COLUMNS) == ()
