"""The course of a search: families, time, requests, and trials that take their process along."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training._optuna import JOURNAL, _Journal, run_study
from ml_orchestrator.training.allocation import ALLOCATIONS
from ml_orchestrator.training.families import suggest_from
from ml_orchestrator.training.forecast import fold_seconds
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.scoring import evaluate_on, forecast_on, pipeline_of
from ml_orchestrator.training.search import check, train
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.study import FinishedTrial, Objective, StudyPlan, StudyProgress
from ml_orchestrator.training.study_log import StudyLog
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainers import TRAINERS, Problem
from ml_orchestrator.training.trainers.linear import Linear

FAMILIES = {"good": 0.9, "fair": 0.7, "poor": 0.2}

NAMES = ("good.a", "good.b", "good.c")


def suggest(space: ParamSpace) -> Params:
    family = space.choice("family", list(FAMILIES))
    return {"family": family, f"{family}.x": space.real(f"{family}.x", 0.0, 1.0)}


def score(params: Params) -> float:
    family = str(params["family"])
    return FAMILIES[family] + 0.1 * float(params[f"{family}.x"])


def folds(params: Params) -> Iterator[float]:
    for fold in range(3):
        yield score(params) + 0.01 * fold


def plan(directory: Path, **given: object) -> StudyPlan:
    first = [{"family": name, f"{name}.x": 0.5} for name in FAMILIES]
    values = {
        "fingerprint": "toy",
        "higher_is_better": True,
        "n_trials": 30,
        "timeout_s": 1e6,
        "seed": 0,
        "first": first,
        "family": "family",
        "families": tuple(FAMILIES),
        "n_folds": 3,
    }
    return StudyPlan(directory=directory, **{**values, **given})  # type: ignore[arg-type]


class Clock:
    """Moves by what a fold of a family takes."""

    def __init__(self, **fold_s: float) -> None:
        self.now_s = 0.0
        self.fold_s = fold_s

    def __call__(self) -> float:
        return self.now_s

    def folds(self, params: Params) -> Iterator[float]:
        for value in folds(params):
            self.now_s += self.fold_s[str(params["family"])]
            yield value


def quiet(progress: StudyProgress) -> None:
    """Ignore progress."""


@pytest.mark.parametrize("name", list(ALLOCATIONS))
def test_an_allocation_gives_each_family_a_chance_and_the_same_choice_again(name: str) -> None:
    rng = np.random.default_rng(0)
    outcomes: Mapping[str, list[float]] = {family: [] for family in FAMILIES}
    for index in range(40):
        chosen, again = (
            ALLOCATIONS[name](outcomes, np.random.default_rng([7, index])) for _ in range(2)
        )
        assert chosen == again
        outcomes[chosen].append(FAMILIES[chosen] + 0.1 * rng.random())

    n_trials = {family: len(values) for family, values in outcomes.items()}
    assert min(n_trials.values()) >= 1
    if name == "uniform":
        assert max(n_trials.values()) - min(n_trials.values()) <= 1
    else:
        assert n_trials["good"] > 20


def test_by_improvement_no_family_is_left_alone_that_may_be_better_than_the_best() -> None:
    """A family of lower mean that varies more is worth more trials than one that does not."""
    outcomes = {
        "best": np.linspace(0.799, 0.8, 8).tolist(),
        "wide": np.linspace(0.6, 0.799, 8).tolist(),
        "narrow": np.linspace(0.749, 0.751, 8).tolist(),
        "failing": [float("nan")] * 8,
    }

    chosen = [ALLOCATIONS["improvement"](outcomes, np.random.default_rng(i)) for i in range(300)]

    counts = {name: chosen.count(name) for name in outcomes}
    assert counts["wide"] > 150
    assert 0 < counts["narrow"] < 30
    assert 0 < counts["failing"] < 30


def test_a_search_spends_its_trials_on_the_family_that_pays(tmp_path: Path) -> None:
    result = run_study(plan(tmp_path), Objective(suggest, folds), on_progress=quiet)

    families = [trial.params["family"] for trial in result.trials]
    assert families[:3] == list(FAMILIES)
    assert families.count("good") > 18
    assert result.best.params["family"] == "good"
    assert result.best.mean_score > 1.0


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2"])
def test_a_search_over_families_is_the_same_again_and_when_continued(
    tmp_path: Path, sampler: str
) -> None:
    objective = Objective(suggest, folds)
    short = run_study(
        plan(tmp_path / "a", sampler=sampler, n_trials=9), objective, on_progress=quiet
    )
    longer = run_study(
        plan(tmp_path / "a", sampler=sampler, n_trials=20), objective, on_progress=quiet
    )
    whole = run_study(
        plan(tmp_path / "b", sampler=sampler, n_trials=20), objective, on_progress=quiet
    )

    assert longer.trials[:9] == short.trials
    found, expected = ([(t.params, t.scores) for t in r.trials] for r in (longer, whole))
    assert found == expected


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_sampler_comes_nearer_to_a_planted_optimum_than_chance(
    tmp_path: Path, sampler: str
) -> None:
    def drawn(space: ParamSpace) -> Params:
        return {"family": "good", **{name: space.real(name, 0.0, 1.0) for name in NAMES}}

    def bowl(params: Params) -> Iterator[float]:
        yield -sum((float(params[name]) - 0.7) ** 2 for name in NAMES)

    first: dict[str, object] = {"family": "good", **dict.fromkeys(NAMES, 0.5)}
    late = {
        name: run_study(
            plan(
                tmp_path / name,
                sampler=name,
                n_trials=60,
                families=("good",),
                first=[first],
                n_folds=1,
            ),
            Objective(drawn, bowl),
            on_progress=quiet,
        ).trials[-20:]
        for name in ("random", sampler)
    }

    medians = {
        name: np.median([trial.mean_score for trial in trials]) for name, trials in late.items()
    }
    assert medians[sampler] > 0.5 * medians["random"]


def test_no_trial_is_begun_or_gone_on_with_that_would_not_end_in_time(tmp_path: Path) -> None:
    clock = Clock(good=4.0, fair=1.0, poor=1.0)

    result = run_study(
        plan(tmp_path, timeout_s=40.0, allocation="uniform", n_trials=100),
        Objective(suggest, clock.folds),
        on_progress=quiet,
        clock=clock,
    )

    assert result.stopped_by == "time"
    assert 30.0 < clock.now_s <= 40.0
    assert all(len(trial.scores) == 3 for trial in result.trials if trial.state == "complete")


def test_a_family_that_is_too_slow_for_the_time_left_is_passed_over(tmp_path: Path) -> None:
    clock = Clock(good=1.0, fair=100.0, poor=1.0)
    asked: list[str] = []

    def forecast(params: Params) -> float:
        asked.append(str(params["family"]))
        return clock.fold_s[asked[-1]]

    result = run_study(
        plan(tmp_path, timeout_s=60.0, n_trials=8),
        Objective(suggest, clock.folds, forecast),
        on_progress=quiet,
        clock=clock,
    )

    families = [trial.params["family"] for trial in result.trials]
    assert families[:2] == ["good", "poor"]
    assert len(families) == 8
    assert "fair" not in families
    assert asked == ["fair", "poor"]
    assert clock.now_s < 60


def test_what_time_the_leading_family_cannot_use_goes_to_the_others(tmp_path: Path) -> None:
    clock = Clock(good=5.0, fair=0.5, poor=0.5)

    result = run_study(
        plan(tmp_path, timeout_s=70.0, n_trials=100),
        Objective(suggest, clock.folds),
        on_progress=quiet,
        clock=clock,
    )

    assert result.stopped_by == "time"
    assert result.best.params["family"] == "good"
    assert result.trials[-1].params["family"] != "good"
    assert 68.0 < clock.now_s <= 70.0


def test_a_search_over_one_family_ends_when_its_draws_take_longer_than_is_left(
    tmp_path: Path,
) -> None:
    clock = Clock(good=5.0)
    only: dict[str, Any] = {"family": "good", "good.x": 0.5}

    result = run_study(
        plan(tmp_path, timeout_s=70.0, n_trials=100, families=("good",), first=[only]),
        Objective(lambda space: {**only, "good.x": space.real("good.x", 0.0, 1.0)}, clock.folds),
        on_progress=quiet,
        clock=clock,
    )

    assert result.stopped_by == "time"
    assert 55.0 <= clock.now_s <= 70.0


def test_draws_that_cannot_be_used_take_no_more_than_the_time_left(tmp_path: Path) -> None:
    clock = Clock(good=1.0, fair=1.0, poor=1.0)

    def slowly(space: ParamSpace) -> Params:
        clock.now_s += 0.5
        return suggest(space)

    run_study(  # after six trials of 3.5 s there are 2 s left: enough for four draws and no trial
        plan(tmp_path, timeout_s=23.0, n_trials=100),
        Objective(slowly, clock.folds),
        on_progress=quiet,
        clock=clock,
    )

    assert clock.now_s == 23.0


def test_time_is_left_for_what_comes_after_the_search(tmp_path: Path) -> None:
    clock = Clock(good=1.0, fair=1.0, poor=1.0)

    result = run_study(
        plan(tmp_path, timeout_s=40.0, n_trials=100, reserve_s=lambda trials: len(trials) * 1.0),
        Objective(suggest, clock.folds),
        on_progress=quiet,
        clock=clock,
    )

    assert 35.0 < clock.now_s + len(result.trials) <= 40.0


def test_a_request_ends_the_search_at_the_next_fold_with_the_best_so_far(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    result = run_study(
        plan(tmp_path),
        Objective(suggest, folds),
        on_progress=lambda p: seen.append((p.n_finished, p.n_folds_done)),
        is_stopped=lambda: len(seen) >= 10,
    )

    assert result.stopped_by == "request"
    assert seen[-1] == (2, 2)
    assert len(result.trials) == 2
    assert result.best.params["family"] == "good"


def test_a_request_before_any_trial_waits_for_the_first_complete_one(tmp_path: Path) -> None:
    result = run_study(
        plan(tmp_path), Objective(suggest, folds), on_progress=quiet, is_stopped=lambda: True
    )

    assert [trial.state for trial in result.trials] == ["complete"]


class _Broken(Linear):
    """A family that cannot be built here: its library does not load, or wants too much memory."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def build(self, problem: Problem, params: Params, *, seed: int, n_jobs: int | None) -> Any:
        raise self._error


def test_a_trial_that_runs_out_of_memory_is_lost_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRAINERS._entries, "naive_bayes", _Broken(MemoryError("700 GiB")))
    names = ["linear", "naive_bayes"]
    spec = TrainingSpec(source="t.csv", n_folds=3)
    table = prepare_table(spec, dataset_of(mixed_table()))
    files = AnswerFiles(tmp_path, higher_is_better=True)
    build = partial(pipeline_of, spec, table)
    evaluate = evaluate_on(table, plan_split(spec, table), build, files)

    result = run_study(
        plan(tmp_path, n_trials=5, first=(), family="trainer", families=names),
        Objective(suggest_from(names, table.problem), evaluate),
        on_progress=quiet,
    )

    lost = [trial for trial in result.trials if trial.params["trainer"] == "naive_bayes"]
    assert lost
    assert all((t.state, t.error) == ("failed", "MemoryError: 700 GiB") for t in lost)
    assert result.best.params["trainer"] == "linear"


def test_a_family_whose_library_fails_loses_its_trials_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(
        TRAINERS._entries, "naive_bayes", _Broken(OSError("libgomp.so.1: not found"))
    )
    spec = TrainingSpec(source="t.csv", n_folds=3, trainers=("linear", "naive_bayes"), n_trials=3)

    summary = train(
        spec, dataset_of(mixed_table()), study_dir=tmp_path, report=lambda *_: None
    ).summary

    assert (summary.trainer, summary.n_trials) == ("linear", 3)
    assert summary.n_failed >= 1
    assert "libgomp" in caplog.text


def test_a_disk_that_is_full_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AnswerFiles, "keep", full)
    spec = TrainingSpec(source="t.csv", n_folds=2, trainers=("linear",), n_trials=1)
    with pytest.raises(OSError, match="No space left"):
        train(spec, dataset_of(mixed_table()), study_dir=tmp_path, report=lambda *_: None)


def test_what_a_fold_takes_is_forecast_from_samples_of_large_tables_only() -> None:
    spec = TrainingSpec(source="t.csv", n_folds=2, test_fraction=0.05)
    for n_rows, is_large in ((1_000, False), (9_000, True)):
        table = prepare_table(spec, dataset_of(mixed_table(n_rows)))
        build = partial(pipeline_of, spec, table)
        forecast = forecast_on(table, plan_split(spec, table), build)

        each_s = forecast({"trainer": "naive_bayes", **TRAINERS["naive_bayes"].first_params})

        assert (each_s is not None and each_s > 0) == is_large


def die_in_the_first_trial(folder: Path) -> None:
    """Leave behind what a process does that is killed in its first trial."""
    with closing(StudyLog(folder / JOURNAL)) as log:
        _Journal(plan(folder), log).ask(0, 0, "good", None)


def test_a_trial_in_which_the_process_died_twice_is_lost_and_the_search_goes_on(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        die_in_the_first_trial(tmp_path)

    result = run_study(plan(tmp_path, n_trials=6), Objective(suggest, folds), on_progress=quiet)

    assert [trial.state for trial in result.trials].count("failed") == 1
    assert result.trials[0].state == "failed"
    assert "died 2 times" in result.trials[0].error
    once = tmp_path / "once"
    once.mkdir()
    die_in_the_first_trial(once)
    again = run_study(plan(once, n_trials=6), Objective(suggest, folds), on_progress=quiet)
    assert again.trials[0].state == "complete"


def test_what_a_trial_takes_is_forecast_from_its_parameters() -> None:
    def ran(n_rounds: int) -> FinishedTrial:
        scores = (0.5, 0.5)
        return FinishedTrial(0, "complete", {"a.n": n_rounds}, scores, 2 * 0.01 * n_rounds, "")

    few = [ran(50)]
    many = [ran(n) for n in (30, 50, 80, 120, 200, 300)]

    assert fold_seconds({"a.n": 300}, []) is None
    assert fold_seconds({"a.n": 300}, few) == pytest.approx(0.5)
    assert fold_seconds({"a.n": 300}, many) == pytest.approx(3.0, rel=0.25)
    assert fold_seconds({"a.n": 40}, many) == pytest.approx(0.4, rel=0.35)


def test_a_sampler_whose_package_is_missing_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    spec = TrainingSpec(source="t.csv", sampler="cmaes")

    with pytest.raises(InvalidInputError, match="needs the package cmaes"):
        check(spec, dataset_of(mixed_table()))


def test_a_training_that_is_asked_to_end_hands_over_the_best_so_far(tmp_path: Path) -> None:
    finished: list[float] = []

    model = train(
        TrainingSpec(source="t.csv", n_folds=3, trainers=("linear", "naive_bayes"), n_trials=500),
        dataset_of(mixed_table()),
        study_dir=tmp_path,
        report=lambda fraction, message, numbers: finished.append(numbers.get("n_finished", 0)),
        is_stopped=lambda: max(finished) >= 3,
    )

    assert model.summary.stopped_by == "request"
    assert model.summary.n_trials == 3
    assert model.summary.holdout["roc_auc"].low > 0.5
