"""What is done to a search's trials: it follows the answers, and noise is left alone."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ml_orchestrator.training.blend import BlendedClassifier, BlendedRegressor, bend
from ml_orchestrator.training.decisions import (
    bent,
    best_bend,
    best_threshold,
    cross_decided,
    decided,
)
from ml_orchestrator.training.ensemble import average, cross_selected, select_weights
from ml_orchestrator.training.gains import gain
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, Timing, mean_score
from ml_orchestrator.training.space import Params

RNG = np.random.default_rng(0)
N_FOLDS, N_ROWS = 4, 250
EMPTY = np.empty((N_ROWS, 0))


def numbers(noise: list[np.ndarray], truth: list[np.ndarray]) -> Answers:
    return Answers(tuple(Predictions(t, t + n, EMPTY) for t, n in zip(truth, noise, strict=True)))


def draws(size: float) -> list[np.ndarray]:
    return [RNG.normal(0, size, N_ROWS) for _ in range(N_FOLDS)]


TRUTH = draws(1.0)


def chances(scale: float, shift: float, n_folds: int = N_FOLDS) -> Answers:
    """Return answers whose log odds must be scaled and shifted to be true."""
    folds = []
    for _ in range(n_folds):
        odds = RNG.normal(0, 2, 800)
        truth = (RNG.random(800) < 1 / (1 + np.exp(-odds))).astype(int)
        said = 1 / (1 + np.exp(-(odds - shift) / scale))
        both = np.column_stack([1 - said, said])
        folds.append(Predictions(truth, both.argmax(axis=1), both))
    return Answers(tuple(folds))


def real_gain(before: Answers, after: Answers, metric: str) -> bool:
    found = gain(before, after, metric=METRICS[metric], groups=None, is_ordered=False, seed=0)
    return found.is_real


def test_models_that_err_independently_are_averaged_by_how_good_they_are() -> None:
    rmse = METRICS["rmse"]
    candidates = [numbers(draws(size), TRUTH) for size in (0.5, 0.5, 1.0, 4.0)]

    weights = select_weights(candidates, rmse, max_members=4)

    # Best of all are weights in proportion to 1 / variance: 4/9, 4/9, 1/9 and a little.
    assert_allclose(weights, [4 / 9, 4 / 9, 1 / 9, 0], atol=0.1)
    assert mean_score(average(candidates, weights), rmse) == pytest.approx(0.5 / 1.5, rel=0.1)
    honest = cross_selected(candidates, partial(select_weights, metric=rmse, max_members=4))
    assert real_gain(candidates[0], honest, "rmse")


def test_copies_of_one_model_are_no_gain_and_members_are_bounded() -> None:
    rmse, own = METRICS["rmse"], draws(1.0)
    copies = [numbers([n + e for n, e in zip(own, draws(1e-3), strict=True)], TRUTH) for _ in "abc"]

    honest = cross_selected(copies, partial(select_weights, metric=rmse, max_members=3))

    assert not real_gain(copies[0], honest, "rmse")
    many = [numbers(draws(1.0), TRUTH) for _ in range(6)]
    assert (select_weights(many, rmse, max_members=2) > 0).sum() == 2


def test_a_gain_has_the_sign_of_what_is_better_and_allows_for_groups() -> None:
    good, bad = numbers(draws(0.5), TRUTH), numbers(draws(1.0), TRUTH)
    groups = [np.arange(N_ROWS) // 50 for _ in TRUTH]

    alone, grouped = (
        gain(bad, good, metric=METRICS["r2"], groups=g, is_ordered=False, seed=0)
        for g in (None, groups)
    )

    assert alone.estimate == grouped.estimate > 0
    assert alone.is_real
    assert not real_gain(good, bad, "r2")


@pytest.mark.parametrize(("scale", "shift"), [(0.4, 0.0), (1.0, 1.0), (2.0, -0.5)])
def test_probabilities_are_bent_back_to_the_truth(scale: float, shift: float) -> None:
    answers = chances(scale, shift)

    found = best_bend(answers)

    assert_allclose(found, (scale, shift), atol=0.2)
    assert real_gain(answers, cross_decided(answers, best_bend, bent), "log_loss")


def test_calibrated_probabilities_are_left_alone() -> None:
    answers = chances(1.0, 0.0)

    assert not real_gain(answers, cross_decided(answers, best_bend, bent), "log_loss")


def test_above_two_classes_bending_keeps_the_order_of_the_classes() -> None:
    given = RNG.dirichlet(np.ones(4), 50)

    raised = bend(given, 3.0, 0.0)

    assert_allclose(raised, given**3 / (given**3).sum(axis=1, keepdims=True))
    assert (raised.argsort(axis=1) == given.argsort(axis=1)).all()


def test_a_rare_class_is_predicted_from_a_lower_threshold() -> None:
    """With true probabilities, balanced accuracy is best at the share of the class."""
    folds = []
    for _ in range(N_FOLDS):
        given = RNG.beta(0.5, 4.5, 2_000)
        truth = (RNG.random(2_000) < given).astype(int)
        folds.append(Predictions(truth, (given > 0.5).astype(int), np.stack([1 - given, given], 1)))
    answers, metric = Answers(tuple(folds)), METRICS["balanced_accuracy"]

    def find(some: Answers) -> float:
        return best_threshold(some, metric)

    assert find(answers) == pytest.approx(0.1, abs=0.05)
    assert real_gain(answers, cross_decided(answers, find, decided), "balanced_accuracy")
    assert find(Answers(answers.folds[:1])) != find(Answers(answers.folds[1:2]))


class Fixed:
    """A fitted model that says the same of every row."""

    classes_ = np.array(["no", "yes"])

    def __init__(self, *said: float) -> None:
        self.said = said

    def predict_proba(self, features: list[int]) -> np.ndarray:
        return np.tile(self.said, (len(features), 1))

    def predict(self, features: list[int]) -> np.ndarray:
        return np.full(len(features), self.said[0])


def test_a_blend_averages_bends_and_decides() -> None:
    members = [("a", Fixed(0.8, 0.2)), ("b", Fixed(0.4, 0.6))]

    halves = BlendedClassifier(members, [0.5, 0.5])
    lower = BlendedClassifier(members, [0.5, 0.5], threshold=0.3)
    shifted = BlendedClassifier(members, [0.5, 0.5], scale=2.0, shift=1.0)

    assert_allclose(halves.predict_proba([1, 2]), [[0.6, 0.4]] * 2)
    assert list(halves.predict([1])) == ["no"]
    assert list(lower.predict([1])) == ["yes"]
    odds = (0.4 / 0.6) ** 2 * np.e
    assert_allclose(shifted.predict_proba([1])[:, 1], odds / (1 + odds))
    assert_allclose(BlendedRegressor(members, [0.25, 0.75]).predict([1]), [0.5])


def test_answers_outlive_the_process_and_the_best_of_each_family_stay(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path, higher_is_better=True)
    for number in range(30):
        if number == 16:
            files = AnswerFiles(tmp_path, higher_is_better=True)
        kept = [Predictions(t, t + number, EMPTY) for t in TRUTH]
        params: Params = {"trainer": "ab"[number < 15], "x": number}
        files.keep(params, kept, score=number % 25, timing=Timing(1.0, number))

    later = AnswerFiles(tmp_path, higher_is_better=True)

    found = later.load({"x": 24, "trainer": "a"}, TRUTH)
    assert found is not None
    assert_allclose(found.folds[2].predicted, TRUTH[2] + 24)
    assert later.timing({"trainer": "a", "x": 24}) == Timing(1.0, 24)
    assert later.timing({"trainer": "b", "x": 12}) is None
    left = [x for x in range(30) if later.load({"trainer": "ab"[x < 15], "x": x}, TRUTH)]
    assert left == [13, 14, *range(15, 25)]  # the best two of b, and the best of a
    assert len(list(tmp_path.rglob("*.npz"))) == 12


def test_of_equal_answers_the_earlier_stay_after_a_resumption_too(tmp_path: Path) -> None:
    for number in range(15):
        files = AnswerFiles(tmp_path, higher_is_better=True)
        kept = [Predictions(t, t, EMPTY) for t in TRUTH]
        files.keep({"trainer": "a", "x": number}, kept, score=0.5, timing=Timing(1.0, 0.0))

    found = [x for x in range(15) if files.load({"trainer": "a", "x": x}, TRUTH)]
    assert found == list(range(12))


def weighed(answers: Answers, counts: list[np.ndarray]) -> Answers:
    pairs = zip(answers.folds, counts, strict=True)
    return Answers(tuple(replace(fold, weights=c.astype(float)) for fold, c in pairs))


def repeated(answers: Answers, counts: list[np.ndarray]) -> Answers:
    return answers.take([np.repeat(np.arange(len(c)), c) for c in counts])


def test_whole_weights_decide_as_repeats_of_rows_do() -> None:
    answers = chances(2.0, 0.7)
    counts = [np.random.default_rng(n).integers(1, 4, 800) for n in range(N_FOLDS)]
    by_weight, by_repeats = weighed(answers, counts), repeated(answers, counts)

    assert_allclose(best_bend(by_weight), best_bend(by_repeats), rtol=1e-3)
    f1 = METRICS["f1_macro"]
    thresholds = [best_threshold(given, f1) for given in (by_weight, by_repeats)]
    scores = [mean_score(decided(by_repeats, value), f1) for value in thresholds]
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)  # one row further, at most a few


def test_what_is_made_of_answers_keeps_their_weights() -> None:
    counts = [np.random.default_rng(n).integers(1, 4, 800) for n in range(N_FOLDS)]
    first, second = (weighed(chances(1.0, 0.0), counts) for _ in range(2))

    made = {
        "bent": bent(first, (2.0, 0.0)),
        "decided": decided(first, 0.3),
        "average": average([first, second], np.array([0.5, 0.5])),
        "cross selected": cross_selected([first, second], lambda _: np.array([0.5, 0.5])),
        "cross decided": cross_decided(first, best_bend, bent),
    }

    for name, answers in made.items():
        for fold, count in zip(answers.folds, counts, strict=True):
            assert fold.weights is not None, name
            assert fold.weights.tolist() == count.tolist(), name


def test_answers_from_files_get_the_weights_of_their_rows(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path, higher_is_better=True)
    params: Params = {"trainer": "a"}
    files.keep(params, numbers(draws(1.0), TRUTH).folds, score=0.5, timing=Timing(1.0, 0.0))
    weights = [np.full(N_ROWS, n + 1.0) for n in range(N_FOLDS)]

    alike, weighing = files.load(params, TRUTH), files.load(params, TRUTH, weights)

    assert alike is not None
    assert weighing is not None
    assert [fold.weights for fold in alike.folds] == [None] * N_FOLDS
    for fold, known in zip(weighing.folds, weights, strict=True):
        assert fold.weights is known


def test_a_gain_is_that_on_the_rows_that_count() -> None:
    better = [np.where(np.arange(N_ROWS) < 125, 0.1, 2.0) * d for d in draws(1.0)]
    before, after = numbers(draws(1.0), TRUTH), numbers(better, TRUTH)
    counts = [np.where(np.arange(N_ROWS) < 125, 1_000, 1)] * N_FOLDS

    assert not real_gain(before, after, "rmse")
    assert real_gain(weighed(before, counts), weighed(after, counts), "rmse")
