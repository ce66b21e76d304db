"""Splits keep apart what must be apart."""

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.intervals import cluster_numbers, holdout_intervals
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.splits import Split, learnable, plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table

N_ROWS = 200


def frame_of(seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": rng.normal(size=N_ROWS),
            "when": rng.permutation(N_ROWS) // 3,
            "person": [f"p{i}" for i in rng.integers(0, 40, N_ROWS)],
            "label": rng.choice(["a", "b", "c"], N_ROWS, p=[0.6, 0.3, 0.1]),
            "amount": rng.normal(size=N_ROWS),
        }
    )


def split_of(
    frame: pl.DataFrame, target: str = "amount", **given: object
) -> tuple[Split, TrainingTable]:
    spec = TrainingSpec(source="t.csv", target=target, **given)
    table = prepare_table(spec, dataset_of(frame, None))
    return plan_split(spec, table), table


SPECS = [
    {"target": "amount"},
    {"target": "label"},
    {"target": "amount", "time_column": "when"},
    {"target": "label", "time_column": "when"},
    {"target": "amount", "group_column": "person"},
    {"target": "label", "group_column": "person"},
]


@pytest.mark.parametrize("given", SPECS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_row_is_either_held_out_or_trained_on(given: dict[str, str], seed: int) -> None:
    split, _ = split_of(frame_of(seed), seed=seed, **given)

    assert sorted([*split.train, *split.test]) == list(range(N_ROWS))
    assert len(split.test) == pytest.approx(0.2 * N_ROWS, rel=0.5)
    for fit, score in split.folds:
        assert not set(fit) & set(score)
        assert set(fit) | set(score) <= set(split.train)
    assert len(split.folds) == 5


@pytest.mark.parametrize("given", SPECS[:2] + SPECS[4:])
def test_every_training_row_is_scored_once(given: dict[str, str]) -> None:
    split, _ = split_of(frame_of(), **given)

    scored = np.concatenate([score for _, score in split.folds])
    assert sorted(scored) == sorted(split.train)


@pytest.mark.parametrize("target", ["amount", "label"])
@pytest.mark.parametrize("seed", range(5))
def test_ordered_rows_are_never_predicted_from_later_or_equal_times(target: str, seed: int) -> None:
    split, table = split_of(frame_of(seed), target, time_column="when", seed=seed)

    times = table.times
    assert times is not None
    assert times[split.train].max() < times[split.test].min()
    for fit, score in split.folds:
        assert times[fit].max() < times[score].min()
    ends = [times[fit].max() for fit, _ in split.folds]
    assert ends == sorted(set(ends))


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_no_model_learns_from_what_is_not_known_so_many_steps_ahead(horizon: int) -> None:
    frame = frame_of().with_columns(
        when=pl.Series(np.arange(N_ROWS) // 2), shop=pl.Series(list("ab") * 100)
    )
    split, table = split_of(frame, time_column="when", group_column="shop", horizon=horizon)

    times = table.times
    assert times is not None
    for fit, score in [(split.train, split.test), *split.folds]:
        known = learnable(table, fit)
        assert times[known].max() == times[score].min() - horizon
        assert set(known) == set(fit[times[fit] <= times[known].max()])


def test_a_horizon_that_leaves_nothing_to_learn_from_is_refused() -> None:
    frame = frame_of().with_columns(when=pl.Series(range(N_ROWS)))
    split_of(frame, time_column="when", horizon=24)
    with pytest.raises(InvalidInputError, match="With horizon 30 fold 1 would learn from 0 rows"):
        split_of(frame, time_column="when", horizon=30)


@pytest.mark.parametrize("target", ["amount", "label"])
@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_on_one_side_of_every_split(target: str, seed: int) -> None:
    split, table = split_of(frame_of(seed), target, group_column="person", seed=seed)

    groups = table.groups
    assert groups is not None
    assert "person" not in table.features
    for a, b in [(split.train, split.test), *split.folds]:
        assert not set(groups[a]) & set(groups[b])


@pytest.mark.parametrize("given", [{}, {"group_column": "shop"}])
def test_rows_of_one_time_are_resampled_together(given: dict[str, str]) -> None:
    """Ten shops on each of 100 days, and the same error for all on one day."""
    frame = pl.DataFrame({"day": np.arange(1000) // 10, "shop": np.arange(1000) % 10})
    noise = np.random.default_rng(0).normal(size=1000)
    split, table = split_of(frame.with_columns(x=noise, amount=noise), time_column="day", **given)
    assert table.groups is not None
    assert table.times is not None
    days, groups = table.times[split.test], table.groups[split.test]

    clusters = cluster_numbers(len(days), groups, is_ordered=True)
    errors = np.random.default_rng(1).normal(size=100)[days.astype(int)]
    off = Predictions(errors, np.zeros(200), np.empty((200, 0)))
    found = holdout_intervals([METRICS["mae"]], off, groups=groups, is_ordered=True, seed=0)["mae"]

    assert len(np.unique(clusters)) == 20 // 3  # blocks of the third root of 20 days
    assert np.all(np.diff(clusters) >= 0)
    assert all(len(np.unique(clusters[days == day])) == 1 for day in np.unique(days))
    of_days = np.abs(errors[::10]).std() / np.sqrt(20)
    assert found.high - found.low > 0.7 * 2 * 1.96 * of_days


def test_classes_keep_their_shares_in_every_part() -> None:
    split, table = split_of(frame_of(), "label")

    shares = [
        np.bincount(table.codes[rows], minlength=3) / len(rows)
        for rows in (split.train, split.test, *(score for _, score in split.folds))
    ]
    assert np.ptp(shares, axis=0).max() < 0.05


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    tests = [split_of(frame_of(), seed=seed)[0].test.tolist() for seed in (1, 1, 2)]

    assert tests[0] == tests[1] != tests[2]


@pytest.mark.parametrize(
    ("frame", "given", "said"),
    [
        (frame_of().head(10), {}, "10 usable rows are too few for 5 folds"),
        (
            frame_of().with_columns(label=pl.Series(["a"] * 195 + ["z"] * 5)),
            {"target": "label"},
            "Class 'z' has 5 rows",
        ),
        (
            frame_of().with_columns(person=pl.Series(["p", "q", "r", "s"] * 50)),
            {"group_column": "person"},
            "has 4 groups",
        ),
        (
            frame_of().with_columns(when=pl.Series([1, 2] * 100)),
            {"time_column": "when"},
            "too few distinct times",
        ),
        (
            frame_of().with_columns(
                when=pl.Series(range(N_ROWS)), label=pl.Series(["a"] * 150 + ["b"] * 50)
            ),
            {"target": "label", "time_column": "when"},
            "Only one class in",
        ),
        (
            frame_of().with_columns(
                when=pl.Series(range(N_ROWS)),
                label=pl.Series(["a", "b"] * 90 + ["a", "c"] * 10),
            ),
            {"target": "label", "time_column": "when"},
            "Class 'c' occurs in the held-out rows only",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_with_a_reason(
    frame: pl.DataFrame, given: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        split_of(frame, **given)

    assert said in str(caught.value)


def test_a_fold_on_which_the_metric_is_undefined_is_refused_before_the_search() -> None:
    frame = pl.DataFrame(
        {
            "when": range(100),
            "x": np.random.default_rng(0).normal(size=100),
            "label": ["a"] * 10 + ["b"] * 80 + ["a"] * 10,
        }
    )
    with pytest.raises(InvalidInputError, match=r"roc_auc is not defined on .* score fold 1"):
        split_of(frame, "label", time_column="when")
    split_of(frame, "label", time_column="when", metric="accuracy")


@pytest.mark.parametrize("target", ["amount", "label"])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.4, 0.5])
def test_the_held_out_share_of_grouped_rows_is_near_the_one_asked_for(
    target: str, share: float
) -> None:
    split, _ = split_of(frame_of(), target, group_column="person", test_fraction=share, n_folds=2)

    assert len(split.test) / N_ROWS == pytest.approx(share, abs=0.03)
