"""A search begins with what did best on similar data, and never fails over it."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import polars as pl
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.training._optuna import JOURNAL
from ml_orchestrator.training.feature_options import suitable_options
from ml_orchestrator.training.meta_features import SCALES, distance, meta_features
from ml_orchestrator.training.models import Task, TrainingSpec, TrainingSummary, WarmStart
from ml_orchestrator.training.search import train
from ml_orchestrator.training.space_fitting import in_space
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.study import FinishedTrial, StudyResult
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainers import TRAINERS, Problem
from ml_orchestrator.training.warm_start import (
    FURTHEST,
    Beginning,
    Experience,
    Leader,
    choose_beginning,
    kept_or_chosen,
    leaders_of,
    starts_after,
    starts_before,
)

ALL = tuple(TRAINERS)
EVEN = Problem("classification", n_classes=2)
UNEVEN = Problem("classification", n_classes=2, is_imbalanced=True)


def builtin(name: str) -> Dataset:
    return load_dataset(f"builtin:{name}", roots=[], max_bytes=1)


def measured(dataset: Dataset, **given: Any) -> dict[str, float]:
    spec = TrainingSpec(source=dataset.source, **given)
    table = prepare_table(spec, dataset)
    return meta_features(table, plan_split(spec, table).train)


def experience(
    name: str,
    meta: Mapping[str, float],
    *,
    trainer: str = "linear",
    params: Mapping[str, Any] | None = None,
    others: Sequence[Leader] = (),
) -> Experience:
    best = Leader(trainer, {"penalty": 2.5} if params is None else params)
    return Experience(f"run-{name}", name, meta, [best, *others])


def starts(found: Sequence[Experience], meta: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(start.run_id, start.distance) for start in began(found, meta)]


def began(found: Sequence[Experience], meta: Mapping[str, float]) -> tuple[WarmStart, ...]:
    return beginning(found, meta).starts


def beginning(found: Sequence[Experience], meta: Mapping[str, float]) -> Beginning:
    return choose_beginning(found, meta, dataset_digest="mine", trainers=ALL, problem=EVEN)


@pytest.mark.parametrize("name", ["iris", "diabetes", "customer_churn", "daily_demand"])
def test_meta_features_are_finite_and_the_same_each_time(name: str) -> None:
    dataset = builtin(name)
    found = measured(dataset)

    assert tuple(found) == tuple(SCALES)
    assert all(math.isfinite(value) for value in found.values())
    assert found == measured(dataset)
    assert distance(found, found) == 0


def test_meta_features_follow_the_data() -> None:
    table = mixed_table(400)
    seen = measured(dataset_of(table))
    noise = measured(dataset_of(table.with_columns(pl.col("y").shuffle(seed=1))))

    assert (seen["tree_gain"] > 0.25, noise["tree_gain"] < 0.1) == (True, True)
    assert (seen["top_correlation"] > 0.4, noise["top_correlation"] < 0.15) == (True, True)
    assert seen["missing_share"] == pytest.approx(0.08, abs=0.02)  # four of five columns, 10 % each
    assert (seen["n_classes"], seen["target_skew"]) == (2.0, 0.0)
    assert seen["categorical_share"] == 2 / 5


def test_the_held_out_rows_do_not_enter() -> None:
    table = mixed_table(300)
    spec = TrainingSpec(source="t.csv")
    prepared = prepare_table(spec, dataset_of(table))
    split = plan_split(spec, prepared)
    before = meta_features(prepared, split.train)

    prepared.codes[split.test] = 1 - prepared.codes[split.test]
    prepared.features.loc[split.test, "n"] = 1e6

    assert meta_features(prepared, split.train) == before


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": [1.0, None] * 20, "y": ["p", "q"] * 20}),
        pl.DataFrame({"a": [None, 2.0] + [None] * 38, "b": range(40), "y": range(40)}),
        pl.DataFrame({"a": [1e300, -1e300] * 20, "y": np.arange(40) % 7}),
        pl.DataFrame({"a": ["", "x"] * 20, "y": [0.0] * 39 + [1e9]}),
    ],
)
def test_odd_tables_have_meta_features_too(frame: pl.DataFrame) -> None:
    found = measured(
        dataset_of(frame), task="regression" if frame["y"].dtype == pl.Float64 else "auto"
    )
    assert all(math.isfinite(value) for value in found.values())


def test_the_nearest_data_sets_come_first_and_far_ones_not_at_all() -> None:
    mine = measured(builtin("breast_cancer"))
    near, far = measured(builtin("wine")), {name: value + 9 for name, value in mine.items()}
    alike = {**mine, "log10_rows": mine["log10_rows"] + 0.1}
    found = [
        experience("far", far),
        experience("near", near, params={"penalty": 7.0}),
        experience("alike", alike),
    ]

    assert distance(mine, far) > FURTHEST > distance(mine, near) > distance(mine, alike) > 0
    assert [name for name, _ in starts(found, mine)] == ["run-alike", "run-near"]


def test_the_same_data_set_and_the_same_configuration_are_not_taken_twice() -> None:
    mine = measured(builtin("iris"))
    found = [
        experience("mine", mine),
        experience("first", mine),
        experience("again", mine),
        experience("other", mine, params={"penalty": 9.0}),
        experience("other", mine, params={"penalty": 8.0}),
    ]
    assert starts(found, mine) == [("run-first", 0.0), ("run-other", 0.0)]


@pytest.mark.parametrize(
    ("trainer", "tried"),
    [
        ("forest", {"run-c": {"n_trees": 300, "feature_share": 0.3, "min_leaf_rows": 2}}),
        ("linear", {}),  # what is left of b are the defaults
        ("extra_trees", {}),
    ],
)
def test_experiences_that_make_no_sense_cannot_break_a_search(
    tmp_path: Path, trainer: str, tried: dict[str, Any]
) -> None:
    nan = float("nan")
    hostile = [
        experience("a", {}, trainer="nonsense"),
        experience("b", {"log10_rows": nan}, params={"penalty": nan, "more": 1}),
        experience("c", {}, trainer="forest", params={"n_trees": 10**9, "feature_share": "x"}),
        experience("d", {}, trainer="extra_trees", params={}),
    ]
    spec = TrainingSpec(source="t.csv", trainers=(trainer,), n_trials=2, n_folds=3, warm_start=True)

    summary = train(
        spec,
        dataset_of(mixed_table()),
        study_dir=tmp_path,
        report=lambda *_: None,
        recall=lambda _: hostile,
    ).summary

    assert {start.run_id: start.params for start in summary.warm_starts} == tried
    assert (summary.n_trials, summary.n_failed) == (2, 0)


def finished(index: int, trainer: str, *scores: float) -> FinishedTrial:
    state: Literal["complete", "failed"] = "complete" if scores else "failed"
    return FinishedTrial(index, state, {"trainer": trainer}, scores, 0.0, "")


def test_starts_are_of_nearly_the_same_data_then_of_the_family_that_leads_here() -> None:
    mine = measured(builtin("iris"))
    alike = {**mine, "log10_rows": mine["log10_rows"] + 5.0}
    found = [
        experience("a", alike),
        experience("b", alike, params={"penalty": 8.0}),
        experience("c", alike, trainer="forest", params={"n_trees": 50}),
        experience("grown", mine, trainer="extra_trees", params={"n_trees": 60}),
    ]
    known = beginning(found, mine)
    defaults = [finished(0, "forest", 0.5, 0.7), finished(1, "linear", 0.4), finished(2, "knn")]

    up, down = (
        [start.run_id for start in starts_after(known, defaults, higher_is_better=higher)]
        for higher in (True, False)
    )
    assert [start.run_id for start in starts_before(known.starts)] == ["run-grown"]
    assert (set(up), set(down)) == ({"run-c"}, {"run-a", "run-b"})
    assert starts_after(known, [finished(0, "linear")], higher_is_better=True) == []


def test_nearly_the_same_data_say_what_to_begin_with_the_nearest_alone() -> None:
    mine = measured(builtin("iris"))
    nearly = [{**mine, "log10_rows": mine["log10_rows"] + 0.1 * n} for n in (3, 1, 2, 0)]
    trainers = ("forest", "linear", "linear", "linear")
    params: list[dict[str, Any]] = [
        {"n_trees": 60},
        {"penalty": 1.0},
        {"penalty": 4.0},
        {"penalty": 9.0},
    ]
    found = [
        experience(f"{n}", meta, trainer=trainer, params=given)
        for n, meta, trainer, given in zip((3, 1, 2, 0), nearly, trainers, params, strict=True)
    ]

    known = began(found, mine)

    assert [start.run_id for start in starts_before(known)] == ["run-0"]
    assert known[-1].distance < FURTHEST


def test_a_default_that_was_best_before_is_tried_first_and_once(tmp_path: Path) -> None:
    meta = measured(planted(2), task="regression")
    default = TRAINERS["elastic_net"].first_params
    found = [experience("a", meta, trainer="elastic_net", params=default)]
    trainers = ("linear", "elastic_net")
    summaries = [
        searched(tmp_path / f"{n}", planted(2), found, trainers=trainers, n_trials=n)
        for n in (1, 2)
    ]

    assert [s.warm_starts[0].trainer for s in summaries] == ["elastic_net"] * 2
    assert [n_trials_of(tmp_path / "1", name) for name in trainers] == [0, 1]
    assert [n_trials_of(tmp_path / "2", name) for name in trainers] == [1, 1]


SAME_DATA = (
    "earlier searches of the same data are left out, so that the same seed gives the same trials "
    "again"
)


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ((), "no earlier search of this kind is stored"),
        (("mine", "mine"), SAME_DATA),
        (("far",), "no earlier search of this kind was on other data that are similar enough"),
        (("mine", "far"), "no earlier search of this kind was on other data that are similar "
         f"enough; {SAME_DATA}"),
        (("near",), "what did best on similar data is what a search tries anyway"),
    ],
)  # fmt: skip
def test_a_search_with_nothing_to_begin_with_says_why(sources: Sequence[str], why: str) -> None:
    meta = measured(builtin("wine"))
    far = {name: value + 10 for name, value in meta.items()}
    at = {"mine": meta, "far": far, "near": {**meta, "log10_rows": meta["log10_rows"] + 5}}
    defaults = TRAINERS["linear"].first_params
    found = [experience(name, at[name], params=defaults) for name in sources]

    assert beginning(found, meta).why_none == why


def test_of_each_family_the_best_complete_trial_is_a_leader() -> None:
    trials = [
        finished(0, "forest", 0.5, 0.7),
        finished(1, "linear", 0.9),
        finished(2, "forest", 0.8),
        finished(3, "knn"),
    ]
    trials[2].params["forest.n_trees"] = 60

    by_score = StudyResult(tuple(trials), trials[1], "trials")
    chosen_for_its_size = replace(by_score, best=trials[0])

    linear, forest = Leader("linear", {}), Leader("forest", {"n_trees": 60})
    assert leaders_of(by_score, higher_is_better=True) == (linear, forest)
    assert leaders_of(chosen_for_its_size, higher_is_better=True) == (Leader("forest", {}), linear)


def test_families_are_tried_in_the_order_that_the_nearest_data_found() -> None:
    mine = measured(builtin("iris"))
    further = {**mine, "log10_rows": mine["log10_rows"] + 3.0}
    others = [Leader("linear", {}), Leader("nonsense", {})]
    near = experience("near", mine, trainer="forest", others=others)
    far = experience("far", further, trainer="linear", others=[Leader("naive_bayes", {})])
    wanted = ("naive_bayes", "linear", "extra_trees", "forest")

    def order(*found: Experience) -> tuple[str, ...]:
        return choose_beginning(
            found, mine, dataset_digest="mine", trainers=wanted, problem=EVEN
        ).families

    alike = [experience(f"{n}", {**mine, "log10_rows": n / 9}, trainer="linear") for n in range(7)]
    assert order(*alike) == ("linear", "naive_bayes", "extra_trees", "forest")  # ties as given
    assert order(near, far) == ("forest", "linear", "naive_bayes", "extra_trees")
    assert order(far) == ("linear", "naive_bayes", "extra_trees", "forest")
    assert order() == wanted


def test_a_study_that_an_earlier_release_began_has_its_three_nearest_first(tmp_path: Path) -> None:
    near = [
        WarmStart(run_id=f"run-{gap}", distance=gap, trainer="linear", params={"penalty": gap})
        for gap in (0.2, 0.1, 0.4, 0.3, 0.25)
    ]
    kept = json.dumps([start.model_dump() for start in near])
    (tmp_path / "warm_start.json").write_text(kept)

    found = kept_or_chosen(tmp_path, Beginning)

    first = starts_before(found.starts, found.n_before)
    assert [start.distance for start in first] == [0.1, 0.2, 0.25]
    assert found.families == ()


def test_what_was_done_to_columns_comes_along_where_data_are_nearly_the_same() -> None:
    mine = measured(builtin("iris"))
    further = {**mine, "log10_rows": mine["log10_rows"] + 3.0}
    params = {"penalty": 7.0, "pairs": "chosen", "screening": "nonsense"}
    found = [experience("near", mine, params=params), experience("far", further, params=params)]
    table = prepare_table(TrainingSpec(source="t.csv"), builtin("iris"))

    near, far = (
        choose_beginning(
            [one],
            mine,
            dataset_digest="mine",
            trainers=ALL,
            problem=EVEN,
            suitable=suitable_options(table),
        ).starts[0]
        for one in found
    )
    assert (near.params, far.params) == (
        {"penalty": 7.0, "pairs": "chosen"},
        {"penalty": 7.0},
    )


def n_trials_of(folder: Path, trainer: str) -> int:
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.load_study(study_name=f"study-{trainer}", storage=storage)
    return len(study.trials)


@pytest.mark.parametrize("trainer", ALL)
def test_a_point_of_the_space_stays_as_it_is(trainer: str) -> None:
    first = TRAINERS[trainer].first_params
    assert in_space(trainer, first, UNEVEN) == pytest.approx(first)


def planted(seed: int) -> Dataset:
    """A table on which only an extreme penalty does well: one signal among noise columns."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(60, 14))
    frame = pl.DataFrame({f"x{i}": features[:, i] for i in range(14)})
    return dataset_of(
        frame.with_columns(pl.Series("y", features[:, 0] * 0.3 + rng.normal(size=60)))
    )


def searched(
    folder: Path, dataset: Dataset, found: Sequence[Experience], **given: Any
) -> TrainingSummary:
    asked: list[Task] = []

    def recall(task: Task) -> Sequence[Experience]:
        asked.append(task)
        return found

    spec = TrainingSpec(
        source="t.csv",
        n_folds=3,
        **{
            "trainers": ("linear",),
            "n_trials": 1,
            "task": "regression",
            "warm_start": True,
            **given,
        },
    )
    summary = train(spec, dataset, study_dir=folder, report=lambda *_: None, recall=recall).summary
    assert asked in ([], ["regression"])
    return summary


def test_what_did_best_on_a_similar_table_is_tried_and_is_better(
    tmp_path: Path,
) -> None:
    before = searched(tmp_path / "before", planted(1), (), n_trials=15)
    found = [experience("before", before.meta_features, params=before.params)]

    cold = searched(tmp_path / "cold", planted(2), ())
    warm = searched(tmp_path / "warm", planted(2), found, n_trials=2)

    assert float(before.params["penalty"]) > 10  # the default is 1
    own = {"penalty": before.params["penalty"], "screening": "shadows"}
    assert before.params == own  # what was done to columns comes along
    assert (cold.params, warm.params) == ({"penalty": 1.0}, own)
    assert warm.cv_score > cold.cv_score
    assert [start.run_id for start in warm.warm_starts] == ["run-before"]


def test_without_warm_start_nothing_is_recalled(tmp_path: Path) -> None:
    found = [experience("before", {}, params={"penalty": 300.0})]
    summary = searched(tmp_path, planted(2), found, warm_start=False)
    assert (summary.params, summary.warm_starts) == ({"penalty": 1.0}, ())


def test_leaders_of_families_that_are_not_searched_say_nothing_here() -> None:
    meta = measured(builtin("wine"))
    found = [experience("near", {**meta, "log10_rows": meta["log10_rows"] + 0.1})]
    begun = choose_beginning(found, meta, dataset_digest="mine", trainers=["forest"], problem=EVEN)
    assert begun.why_none == "none of the trainers of this search was tried on similar data"


def test_a_warm_start_that_had_nothing_to_begin_with_is_told(tmp_path: Path) -> None:
    summary = searched(tmp_path, planted(2), ())
    said = "warm_start had nothing to begin with: no earlier search of this kind is stored."
    assert said in summary.warnings


def test_a_resumed_study_keeps_the_starts_it_began_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    meta = measured(planted(2), task="regression")
    found = [experience("a", meta, params={"penalty": 30.0})]
    first = searched(tmp_path, planted(2), found, n_trials=2)
    assert [start.run_id for start in first.warm_starts] == ["run-a"]
    later = [experience("b", meta, params={"penalty": 300.0})]

    again = searched(tmp_path, planted(2), later, n_trials=3)
    assert again.warm_starts == first.warm_starts

    kept = json.loads((tmp_path / "warm_start.json").read_text())
    assert kept["families"] == ["linear"]
    (tmp_path / "warm_start.json").write_text(json.dumps(kept["starts"]))  # an earlier release's
    assert searched(tmp_path, planted(2), later, n_trials=3).warm_starts == first.warm_starts

    (tmp_path / "warm_start.json").write_text("[{")
    with caplog.at_level(logging.WARNING):
        damaged = searched(tmp_path, planted(2), later, n_trials=4)
    assert damaged.warm_starts == ()
    assert "damaged" in caplog.text
