"""Scores of classes equal scikit-learn's; expected ones equal what enumeration gives."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from ml_orchestrator.numerics.class_scores import drawn_scores, expected_scores, realised_scores


@pytest.mark.parametrize("n_classes", [2, 4])
def test_measured_scores_are_scikit_learns(n_classes: int) -> None:
    rng = np.random.default_rng(1)
    scores = rng.dirichlet(np.ones(n_classes), 300).round(2)  # ties
    scores /= scores.sum(axis=1, keepdims=True)
    truth, said = rng.integers(0, n_classes, 300), scores.argmax(axis=1)
    found = realised_scores(truth, said, scores)
    area = roc_auc_score(truth, scores[:, 1] if n_classes == 2 else scores, multi_class="ovr")
    wanted = {
        "accuracy": accuracy_score(truth, said),
        "f1_macro": f1_score(truth, said, average="macro"),
        "roc_auc": area,
    }
    if n_classes == 2:
        wanted |= {"precision": precision_score(truth, said), "recall": recall_score(truth, said)}
    assert found == pytest.approx(wanted, abs=1e-12)


def test_the_expected_area_is_the_ratio_of_expected_pairs_over_all_labellings() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    chance = np.array([0.3, 0.2, 0.6, 0.7])
    ordered = pairs = 0.0
    for labels in itertools.product([0, 1], repeat=4):
        weight = np.prod(np.where(labels, chance, 1 - chance))
        for i, j in itertools.permutations(range(4), 2):
            if labels[i] == 1 and labels[j] == 0:
                pairs += weight
                ordered += weight * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
    both = np.column_stack([1 - chance, chance])
    found = expected_scores(both, np.zeros(4, int), np.column_stack([1 - scores, scores]))
    assert found["roc_auc"] == pytest.approx(ordered / pairs, abs=1e-12)


def test_drawn_scores_lie_around_the_expected_ones() -> None:
    rng = np.random.default_rng(2)
    chance = rng.dirichlet([1, 2, 3], 500)
    said = chance.argmax(axis=1)
    draws = list(drawn_scores(chance, said, chance, n_draws=400, rng=rng))
    expected = expected_scores(chance, said, chance)
    for name in ("accuracy", "f1_macro", "roc_auc"):
        values = [draw[name] for draw in draws]
        # four standard errors of the mean of 400 draws
        assert np.mean(values) == pytest.approx(expected[name], abs=4 * float(np.std(values)) / 20)
    assert len(draws) == 400


def test_a_score_that_rows_do_not_define_is_nan() -> None:
    found = realised_scores(np.zeros(3, int), np.zeros(3, int), np.full((3, 2), 0.5))
    assert np.isnan(found["roc_auc"])
    assert np.isnan(found["precision"])
    assert found["accuracy"] == 1
