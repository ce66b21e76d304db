"""Cuts: what is left is what was there, and as little as quality allows."""

from typing import Any

import numpy as np
import pytest
from tests.compression.worlds import World, mixed_world, planted_world

from ml_orchestrator.compression.pruning import Cut, choose_cut, cut, n_nodes
from ml_orchestrator.compression.quality import Bar
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.baselines import baseline_scores
from ml_orchestrator.training.blend import BlendedClassifier


@pytest.fixture(scope="module")
def planted() -> World:
    return planted_world()


def bar_of(here: World, tolerance: float) -> Bar:
    metric, split = here.table.metric, here.split
    baseline = baseline_scores([metric], here.table, split.train, split.test)[metric.name]
    return Bar(metric.name, metric.sign, baseline, tolerance)


def prepared(model: Any, here: World) -> Any:
    return model[:-1].transform(here.unseen)


def test_a_cut_forest_is_the_mean_of_its_first_trees(planted: World) -> None:
    model = planted.fitted("forest", n_trees=20)
    before = model.predict_proba(planted.unseen)

    smaller = cut(model, Cut(1, 0.25, 0.0))

    trees = model.steps[-1][1].estimators_[:5]
    rows = prepared(model, planted)
    wanted = np.mean([tree.predict_proba(rows) for tree in trees], axis=0)
    np.testing.assert_allclose(smaller.predict_proba(planted.unseen), wanted, atol=1e-12)
    assert n_nodes(smaller) == 1 + sum(tree.tree_.node_count for tree in trees)
    assert (model.predict_proba(planted.unseen) == before).all()


@pytest.mark.parametrize("trainer", ["histogram_boosting", "lightgbm"])
def test_cut_boosting_is_what_it_was_after_fewer_rounds(planted: World, trainer: str) -> None:
    model = planted.fitted(trainer, n_rounds=20)

    smaller = cut(model, Cut(1, 0.5, 0.0))

    staged = list(model.steps[-1][1].staged_predict_proba(prepared(model, planted)))
    assert len(staged) == 20
    np.testing.assert_array_equal(smaller.predict_proba(planted.unseen), staged[9])


def test_trees_cut_by_cost_are_smaller_and_predict(planted: World) -> None:
    model = planted.fitted("extra_trees", n_trees=10)
    nodes = [n_nodes(cut(model, Cut(1, 1.0, strength))) for strength in (0.0, 1e-3, 3e-3)]
    assert nodes[0] == n_nodes(model) > nodes[1] > nodes[2] > 10
    answers = cut(model, Cut(1, 1.0, 3e-3)).predict_proba(planted.unseen)
    np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_of_an_average_the_weightiest_stay_and_share_the_weight(planted: World) -> None:
    members = [(n, planted.fitted(n)) for n in ("linear", "naive_bayes", "forest")]
    model = BlendedClassifier(members, [0.3, 0.1, 0.6], threshold=0.4)

    smaller = cut(model, Cut(2, 1.0, 0.0))

    assert [name for name, _ in smaller.members] == ["linear", "forest"]
    assert smaller.weights == pytest.approx([1 / 3, 2 / 3])
    assert smaller.threshold == 0.4


def test_as_little_is_left_as_the_tolerance_allows(planted: World) -> None:
    model = planted.fitted("forest", n_trees=100)
    wanted = planted.score(model)
    nodes = []
    for tolerance in (0.02, 0.2):
        bar = bar_of(planted, tolerance)
        how = choose_cut(model, planted.score, bar)
        assert how is not None
        smaller = cut(model, how)
        assert bar.sign * (planted.score(smaller) - wanted) >= -0.5 * bar.margin(wanted)
        nodes.append(n_nodes(smaller))
    assert n_nodes(model) > nodes[0] > nodes[1]


def test_where_every_cut_costs_too_much_there_is_none(planted: World) -> None:
    model = planted.fitted("histogram_boosting", n_rounds=10, learning_rate=0.03)
    assert choose_cut(model, planted.score, bar_of(planted, 1e-6)) is None


def test_a_model_without_trees_is_refused_and_a_line_with_trees_keeps_its_line() -> None:
    number = mixed_world("number")
    with pytest.raises(InvalidInputError, match="Ridge has no trees to cut"):
        choose_cut(number.fitted("linear"), number.score, bar_of(number, 0.1))
    model = number.fitted("linear_boosting", n_rounds=10)
    smaller = cut(model, Cut(1, 0.3, 0.0)).steps[-1][1]
    assert len(smaller.trees_._predictors) == 3
    assert smaller.line_ is model.steps[-1][1].line_
