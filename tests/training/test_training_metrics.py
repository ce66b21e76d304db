"""Metrics equal scikit-learn's; intervals cover as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.intervals import holdout_intervals
from ml_orchestrator.training.metrics import METRICS, Predictions, pick_metric, pinball_loss


def classes(n_classes: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, 200)
    raw = rng.random((200, n_classes)) + 0.6 * np.eye(n_classes)[truth]
    probabilities = np.round(raw / raw.sum(axis=1, keepdims=True), 2)  # ties on purpose
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(truth, probabilities.argmax(axis=1), probabilities)


def numbers(seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=200)
    return Predictions(truth, truth + rng.normal(size=200), np.empty((200, 0)))


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_class_metrics_are_those_of_scikit_learn(n_classes: int, seed: int) -> None:
    given = classes(n_classes, seed)
    truth, predicted, chances = given.truth, given.predicted, given.probabilities
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "f1_macro": sk.f1_score(truth, predicted, average="macro"),
        "log_loss": sk.log_loss(truth, chances),
        "roc_auc": sk.roc_auc_score(
            truth, chances[:, 1] if n_classes == 2 else chances, multi_class="ovr"
        ),
    }
    if n_classes == 2:
        expected["average_precision"] = sk.average_precision_score(truth, chances[:, 1])
        expected["brier"] = sk.brier_score_loss(truth, chances[:, 1])

    assert {name: METRICS[name].compute(given) for name in expected} == pytest.approx(
        expected, rel=1e-12
    )


def test_number_metrics_are_those_of_scikit_learn() -> None:
    given = numbers(0)
    truth, predicted = given.truth, given.predicted

    found = {name: m.compute(given) for name, m in METRICS.items() if m.task == "regression"}

    assert found == pytest.approx(
        {
            "r2": sk.r2_score(truth, predicted),
            "rmse": sk.root_mean_squared_error(truth, predicted),
            "mae": sk.mean_absolute_error(truth, predicted),
            "median_ae": sk.median_absolute_error(truth, predicted),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weighted_class_metrics_are_those_of_scikit_learn(n_classes: int, seed: int) -> None:
    weights = np.random.default_rng(seed).gamma(0.3, size=200)
    given = replace(classes(n_classes, seed), weights=weights)
    truth, predicted, chances = given.truth, given.predicted, given.probabilities
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted, sample_weight=weights),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted, sample_weight=weights),
        "f1_macro": sk.f1_score(truth, predicted, average="macro", sample_weight=weights),
        "log_loss": sk.log_loss(truth, chances, sample_weight=weights),
        "roc_auc": sk.roc_auc_score(
            truth,
            chances[:, 1] if n_classes == 2 else chances,
            multi_class="ovr",
            sample_weight=weights,
        ),
    }
    if n_classes == 2:
        second = {"y_true": truth, "sample_weight": weights}
        expected["average_precision"] = sk.average_precision_score(y_score=chances[:, 1], **second)
        expected["brier"] = sk.brier_score_loss(y_proba=chances[:, 1], **second)

    # At most 1e-11: sums of very uneven weights are added up in another order.
    assert {name: METRICS[name].compute(given) for name in expected} == pytest.approx(
        expected, rel=1e-11
    )


def test_weighted_number_metrics_are_those_of_scikit_learn() -> None:
    weights = np.random.default_rng(1).gamma(0.3, size=200)
    given = replace(numbers(0), weights=weights)
    both = {"y_true": given.truth, "y_pred": given.predicted, "sample_weight": weights}

    metrics = [*(m for m in METRICS.values() if m.task == "regression"), pinball_loss(0.9)]

    assert {metric.name: metric.compute(given) for metric in metrics} == pytest.approx(
        {
            "r2": sk.r2_score(**both),
            "rmse": sk.root_mean_squared_error(**both),
            "mae": sk.mean_absolute_error(**both),
            "median_ae": sk.median_absolute_error(**both),
            "pinball_loss": sk.mean_pinball_loss(**both, alpha=0.9),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("given", [classes(2, 0), classes(4, 0), numbers(0)])
def test_a_row_of_weight_three_counts_as_three_rows(given: Predictions) -> None:
    counts = np.random.default_rng(0).integers(1, 5, 200)
    weighed = replace(given, weights=counts.astype(float))
    repeated = given.take(np.repeat(np.arange(200), counts))
    n_classes = given.probabilities.shape[1]
    metrics = [
        metric
        for metric in METRICS.values()
        if (metric.task == "classification") == (n_classes > 0)
        and (n_classes == 2 or not metric.for_two_classes)
    ]

    assert [metric.compute(weighed) for metric in metrics] == pytest.approx(
        [metric.compute(repeated) for metric in metrics], rel=1e-12
    )
    assert repeated.weights is None


def test_rows_that_are_drawn_anew_keep_their_weights() -> None:
    rows = np.array([3, 3, 0])
    given = replace(numbers(0), weights=np.arange(200.0) + 1)

    assert given.take(rows).weights.tolist() == [4.0, 4.0, 1.0]  # type: ignore[union-attr]


def test_of_one_value_there_is_no_explained_share_whatever_the_weights() -> None:
    weights = np.random.default_rng(0).random(50)
    given = Predictions(np.full(50, 0.1), np.zeros(50), np.empty((50, 0)), weights)

    assert np.isnan(METRICS["r2"].compute(given))


def test_a_class_that_is_absent_leaves_the_area_under_the_curve_undefined() -> None:
    given = classes(2, 0)
    weighed = replace(given, weights=np.full(200, 0.3))

    for each in (given, weighed):
        assert np.isnan(METRICS["roc_auc"].compute(each.take(np.flatnonzero(each.truth == 1))))


@pytest.mark.parametrize(
    ("name", "task", "n_classes", "known"),
    [
        ("r2", "classification", 2, "accuracy"),
        ("accuracy", "regression", 0, "rmse"),
        ("brier", "classification", 3, "log_loss"),
        ("nonsense", "regression", 0, "mae, median_ae, r2, rmse"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_with_those_that_do(
    name: str, task: str, n_classes: int, known: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pick_metric(name, task, n_classes)  # type: ignore[arg-type]

    assert known in str(caught.value)
    assert repr(name) in str(caught.value)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Normal errors of deviation 1 have a mean absolute value of sqrt(2 / pi)."""
    truth = np.sqrt(2 / np.pi)
    n_covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        given = Predictions(np.zeros(100), rng.normal(size=100), np.empty((100, 0)))
        found = holdout_intervals(
            [METRICS["mae"]], given, groups=None, is_ordered=False, seed=seed
        )["mae"]
        n_covered += found.low <= truth <= found.high

    # 60 draws at 95 %: 57 expected, deviation 1.7; 51 is 3.5 deviations below.
    assert n_covered >= 51


def test_rows_of_one_group_are_drawn_together() -> None:
    """Twenty copies of each row carry no more information than one."""
    rng = np.random.default_rng(0)
    errors = np.repeat(rng.normal(size=30), 20)
    groups = np.repeat(np.arange(30), 20)
    given = Predictions(np.zeros(600), errors, np.empty((600, 0)))

    widths = []
    for known in (groups, None):
        found = holdout_intervals([METRICS["mae"]], given, groups=known, is_ordered=False, seed=0)
        widths.append(found["mae"].high - found["mae"].low)

    assert widths[0] / widths[1] == pytest.approx(np.sqrt(20), rel=0.25)


def test_neighbours_in_time_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    errors = np.convolve(rng.normal(size=640), np.ones(40) / 40, mode="valid")[:600]
    given = Predictions(np.zeros(600), errors, np.empty((600, 0)))

    widths = [
        (found := holdout_intervals([METRICS["mae"]], given, groups=None, is_ordered=o, seed=0))[
            "mae"
        ].high
        - found["mae"].low
        for o in (True, False)
    ]

    assert widths[0] > 2 * widths[1]
