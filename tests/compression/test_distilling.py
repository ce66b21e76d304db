"""Students: they reach their teacher where they can, and the smallest of these is taken."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.compression.worlds import World, mixed_world, planted_world, world

from ml_orchestrator.compression.augmentation import augmented
from ml_orchestrator.compression.distilling import Candidate, Lesson, choose, fidelity, taught
from ml_orchestrator.compression.measuring import size_bytes
from ml_orchestrator.compression.quality import Bar
from ml_orchestrator.training.baselines import baseline_scores
from ml_orchestrator.training.blend import BlendedClassifier


@pytest.fixture(scope="module")
def planted() -> World:
    return planted_world()


@pytest.fixture(scope="module")
def teacher(planted: World) -> Any:
    members = [
        ("forest", planted.fitted("forest", n_trees=100)),
        ("boosting", planted.fitted("histogram_boosting", n_rounds=60)),
    ]
    return BlendedClassifier(members, [0.5, 0.5])


def candidate(here: World, trainer: str, **params: Any) -> Candidate:
    name = f"{trainer} {params}"
    return Candidate(name, lambda: here.unfitted(trainer, **params), lambda pipeline: pipeline)


def lesson(here: World) -> Lesson:
    return Lesson(here.table.features.iloc[here.split.train], here.table.labels[here.split.train])


def bar_of(here: World, tolerance: float) -> Bar:
    metric, split = here.table.metric, here.split
    baseline = baseline_scores([metric], here.table, split.train, split.test)[metric.name]
    return Bar(metric.name, metric.sign, baseline, tolerance)


def test_the_student_of_a_planted_ensemble_keeps_95_percent_of_its_gain_and_is_far_smaller(
    planted: World, teacher: Any
) -> None:
    bar = bar_of(planted, 0.05)
    small = candidate(planted, "histogram_boosting", n_rounds=60, n_leaves=15)

    student = taught(small, teacher, lesson(planted), seed=0)

    assert bar.gain(planted.score(student)) >= 0.95 * bar.gain(planted.score(teacher)) > 0
    assert size_bytes(student) < 0.15 * size_bytes(teacher)
    assert fidelity(teacher, student, planted.unseen) > 0.93


def test_a_student_of_wrong_answers_is_no_good(planted: World, teacher: Any) -> None:
    class Confused:
        """Answers as if for another row."""

        classes_ = teacher.classes_

        def predict_proba(self, rows: pd.DataFrame) -> Any:
            return np.random.default_rng(0).permutation(teacher.predict_proba(rows))

    bar = bar_of(planted, 0.05)
    small = candidate(planted, "histogram_boosting", n_rounds=60, n_leaves=15)
    student = taught(small, Confused(), lesson(planted), seed=0)

    assert bar.gain(planted.score(student)) < 0.3 * bar.gain(planted.score(teacher))


def test_the_smallest_student_that_is_good_enough_is_chosen_and_of_none_the_best(
    planted: World, teacher: Any
) -> None:
    line, stump, boosting = (
        candidate(planted, "linear"),
        candidate(planted, "histogram_boosting", n_rounds=1, n_leaves=2),
        candidate(planted, "histogram_boosting", n_rounds=40),
    )

    def chosen(candidates: list[Candidate], tolerance: float) -> tuple[int, list[int]]:
        told: list[str] = []
        place, tried = choose(
            candidates, teacher, lesson(planted), planted.unseen, score=planted.score,
            bar=bar_of(planted, tolerance), seed=0, tell=lambda _, name: told.append(name),
        )  # fmt: skip
        assert told == [each.name for each in candidates]
        return place, [student.size_bytes for student in tried]

    place, sizes = chosen([line, boosting], 0.05)
    assert (place, sizes) == (1, sorted(sizes))
    assert chosen([line, boosting], 0.6)[0] == 0
    assert chosen([stump, line], 1e-9)[0] == 1


def test_classes_that_a_teacher_hardly_gives_stay_known_and_numbers_are_learnt() -> None:
    three, number = mixed_world("three"), mixed_world("number")
    for here in (three, number):
        large = here.fitted("forest", n_trees=40)
        student = taught(candidate(here, "linear"), large, lesson(here), seed=0)
        assert fidelity(large, student, here.unseen) > 0.6
    assert student.predict(number.unseen).min() > 900


def test_copies_of_a_row_count_as_much_as_the_row() -> None:
    """Of a parabola, a line through the heavy half goes up; one through all is flat."""
    x = np.random.default_rng(0).uniform(-2, 2, 500)
    rows = pd.DataFrame({"x": x, **{f"other {i}": 0.0 for i in range(3)}})
    weights = np.where(x > 0, 1000.0, 1e-3)

    class Parabola:
        def predict(self, asked: pd.DataFrame) -> Any:
            return np.asarray(asked["x"]) ** 2

    line = Candidate(
        "line", lambda: make_pipeline(StandardScaler(), LinearRegression()), lambda p: p
    )
    student = taught(line, Parabola(), Lesson(rows, x**2, weights), seed=0)

    seen = rows[x > 0]
    assert fidelity(Parabola(), student, seen) > 0.4  # copies of 1 each: below 0


def test_new_rows_are_made_of_old_values() -> None:
    rows = mixed_world("two").table.features

    new = augmented(rows, 2, seed=1)

    assert len(new) == 2 * len(rows)
    assert (new.dtypes == rows.dtypes).all()
    for name in rows.columns:
        assert set(new[name].dropna()) <= set(rows[name].dropna())
    is_old = pd.concat([rows.astype(str), new.astype(str)]).duplicated().iloc[len(rows) :]
    assert is_old.mean() < 0.5
    pd.testing.assert_frame_equal(new, augmented(rows, 2, seed=1))


def test_no_row_of_the_lesson_is_told_its_own_label_by_the_means_of_its_category() -> None:
    rng = np.random.default_rng(5)
    noise, places = rng.normal(size=400), [f"place {i}" for i in rng.integers(0, 130, 400)]
    here = world(pl.DataFrame({"m": places, "x": rng.normal(size=400), "y": noise}))
    assert here.table.kinds.many_valued == ("m",)
    seen: list[Any] = []

    class Watched(Ridge):  # type: ignore[misc]
        """Keeps what it is given to learn from."""

        def fit(self, prepared: Any, labels: Any, sample_weight: Any = None) -> Any:
            seen.append(prepared)
            return super().fit(prepared, labels, sample_weight)

    watched = Candidate(
        "watched",
        lambda: Pipeline([*here.unfitted("linear").steps[:-1], ("model", Watched())]),
        lambda pipeline: pipeline,
    )
    whole = lesson(here)
    taught(watched, here.fitted("linear"), whole, seed=0)

    own = seen[0][: len(whole.rows)]
    told = [abs(np.corrcoef(column, whole.labels)[0, 1]) for column in own.T]
    assert len(told) == 2
    assert max(told) < 0.25  # with its own label in the mean: 0.6
