"""Several trials of one search at once, in a pool that lets the test say which ends first."""

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import ConflictError, InvalidInputError, UnavailableError
from ml_orchestrator.training import clusters, trials
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.away import trial_of
from ml_orchestrator.training.course import Rivals
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.pools import Ended, Order, Trial
from ml_orchestrator.training.scoring import evaluate_on
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import (
    FinishedTrial,
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
)

FAMILIES = {"good": 0.9, "fair": 0.7, "poor": 0.2}
WIDTH = 3


def suggest(space: ParamSpace) -> Params:
    family = space.choice("family", list(FAMILIES))
    return {"family": family, f"{family}.x": space.real(f"{family}.x", 0.0, 1.0)}


def scored(order: Order) -> Ended:
    family = str(order.params["family"])
    score = FAMILIES[family] + 0.1 * float(order.params[f"{family}.x"])
    return Ended("complete", scores=(score, score), seconds=2.0)


def never(params: Params) -> Iterator[float]:
    raise AssertionError("a trial ran in this process")


class Pool:
    """Ends the trial that began last, one at a look; a look takes a second of its clock."""

    def __init__(self, trial: Trial = scored, width: int = WIDTH) -> None:
        self._trial = trial
        self.width = width
        self.out: list[tuple[int, Order]] = []
        self.begun: list[tuple[int, Order]] = []
        self.begun_at: list[float] = []
        self.most = 0
        self.given_up: list[int] = []
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def begin(self, index: int, order: Order) -> None:
        self.out.append((index, order))
        self.begun.append((index, order))
        self.begun_at.append(self.now_s)
        self.most = max(self.most, len(self.out))

    def ended(self, within_s: float) -> Sequence[tuple[int, Ended]]:
        self.now_s += 1.0
        if not self.out:
            return []
        index, order = self.out.pop()
        return [(index, self._trial(order))]

    def give_up(self) -> None:
        self.given_up += [index for index, _ in self.out]
        self.out.clear()


def plan(directory: Path, **given: Any) -> StudyPlan:
    values = {
        "fingerprint": "toy",
        "higher_is_better": True,
        "n_trials": 20,
        "timeout_s": 1e6,
        "seed": 0,
        "first": [{"family": name, f"{name}.x": 0.5} for name in FAMILIES],
        "family": "family",
        "families": tuple(FAMILIES),
        "n_folds": 2,
    }
    return StudyPlan(directory=directory, **{**values, **given})


def run(
    directory: Path,
    pool: Pool,
    *,
    on_progress: Callable[[StudyProgress], None] = lambda _: None,
    is_stopped: Callable[[], bool] = lambda: False,
    **given: Any,
) -> Any:
    return run_study(
        plan(directory, **given),
        Objective(suggest, never),
        on_progress=on_progress,
        is_stopped=is_stopped,
        clock=pool.clock,
        pool=pool,
    )


def test_as_many_run_at_once_as_the_pool_takes_and_each_trial_is_counted_once(
    tmp_path: Path,
) -> None:
    pool = Pool()
    result = run(tmp_path, pool)

    assert [trial.index for trial in result.trials] == list(range(20))
    assert pool.most == WIDTH
    assert result.stopped_by == "trials"
    assert result.best.params["family"] == "good"
    assert result.best.mean_score > 0.95
    assert len({tuple(order.params.items()) for _, order in pool.begun}) == 20
    assert result.elapsed_s == pytest.approx(20)  # and not the 40 s that the trials took together


def test_points_of_a_stage_wait_for_those_before_and_see_exactly_them(tmp_path: Path) -> None:
    asked: list[list[int]] = []
    point: Params = {"family": "poor", "poor.x": 0.25}

    def stage(first: Sequence[FinishedTrial]) -> list[Params]:
        asked.append([trial.index for trial in first])
        return [point]

    pool = Pool()
    result = run(tmp_path, pool, stages=[stage])

    assert {tuple(indexes) for indexes in asked} == {(0, 1, 2)}
    assert result.trials[3].params == point
    assert {index for index, _ in pool.begun[:3]} == {0, 1, 2}


def test_trials_at_work_count_when_a_family_is_chosen(tmp_path: Path) -> None:
    pool = Pool()
    run(tmp_path, pool, first=[], allocation="uniform", n_trials=9)

    begun = [order.params["family"] for _, order in pool.begun]
    assert sorted(begun[:3]) == sorted(FAMILIES)
    assert {name: begun.count(name) for name in FAMILIES} == dict.fromkeys(FAMILIES, 3)


def test_a_trial_whose_process_died_is_sent_once_more_and_then_lost(tmp_path: Path) -> None:
    def trial(order: Order) -> Ended:
        if order.params["family"] == "poor":
            return Ended("died", error="its machine went away")
        return scored(order)

    pool = Pool(trial)
    result = run(tmp_path, pool, n_trials=6)

    lost = [trial for trial in result.trials if trial.state == "failed"]
    assert lost
    assert {trial.params["family"] for trial in lost} == {"poor"}
    assert {trial.error for trial in lost} == {"its machine went away"}
    assert len(pool.begun) == 6 + len(lost)
    assert len(result.trials) == 6


def test_a_trial_that_ran_out_of_memory_is_lost_at_once(tmp_path: Path) -> None:
    def trial(order: Order) -> Ended:
        if order.params["family"] == "poor":
            return Ended("died", error="no memory", is_final=True)
        return scored(order)

    pool = Pool(trial)
    result = run(tmp_path, pool, n_trials=6)
    assert len(pool.begun) == 6
    assert {t.params["family"] for t in result.trials if t.state == "failed"} == {"poor"}


def test_a_trial_that_the_cluster_lost_is_sent_again_and_no_fault_of_its_own(
    tmp_path: Path,
) -> None:
    n_lost: list[Order] = []

    def trial(order: Order) -> Ended:
        if len(n_lost) < 4:
            n_lost.append(order)
            return Ended("lost", error="the store is down")
        return scored(order)

    pool = Pool(trial)
    result = run(tmp_path, pool, n_trials=6)

    assert (len(result.trials), len(pool.begun)) == (6, 10)
    assert [trial.error for trial in result.trials if trial.state == "failed"] == []


def lost(_: Order) -> Ended:
    return Ended("lost", error="the store is down")


def lost_from(number: int) -> Trial:
    """Return trials of which the first end and the cluster loses all others."""
    numbers = iter(range(1000))
    return lambda order: scored(order) if next(numbers) < number else lost(order)


def test_a_cluster_that_loses_everything_ends_the_search_which_goes_on_later(
    tmp_path: Path,
) -> None:
    later = Pool()
    with pytest.raises(UnavailableError, match=r"lost one trial 5 times in 15 s or more \(the st"):
        run(tmp_path, Pool(lost_from(2)), n_trials=6)
    result = run(tmp_path, later, n_trials=6)

    assert len(result.trials) == 6
    assert len(later.begun) == 4
    assert [trial for trial in result.trials if trial.state == "failed"] == []


def test_a_trial_that_is_lost_while_others_answer_fails_and_the_search_goes_on(
    tmp_path: Path,
) -> None:
    def trial(order: Order) -> Ended:
        return lost(order) if order.params["family"] == "poor" else scored(order)

    pool = Pool(trial)
    result = run(tmp_path, pool, n_trials=6)

    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert len(result.trials) == 6
    assert failed
    assert {trial.params["family"] for trial in failed} == {"poor"}
    assert "lost by the cluster 5 times (the store is down) while other" in str(failed[0].error)
    assert len(pool.begun) == 6 + 4 * len(failed)


def test_before_a_lost_trial_is_sent_again_the_cluster_has_longer_each_time(
    tmp_path: Path,
) -> None:
    pool = Pool(lost, width=1)
    with pytest.raises(UnavailableError):
        run(tmp_path, pool)

    assert {index for index, _ in pool.begun} == {0}
    waits = np.diff(pool.begun_at) - 1.0  # it takes a second to be lost
    assert list(waits) == [1.0, 2.0, 4.0, 8.0]


def test_a_cancel_a_request_and_the_time_are_seen_while_a_lost_trial_waits(tmp_path: Path) -> None:
    """The first trial answers at 1 s; the next waits from 11 to 19 s for its last try."""
    stopped, late, cancelled = (Pool(lost_from(1), width=1) for _ in range(3))

    def cancel(_: StudyProgress) -> None:
        if cancelled.now_s >= 14:
            raise ConflictError("cancelled")

    asked = run(tmp_path / "a", stopped, is_stopped=lambda: stopped.now_s >= 14)
    ended = run(tmp_path / "b", late, timeout_s=14.0)
    with pytest.raises(ConflictError):
        run(tmp_path / "c", cancelled, on_progress=cancel)

    assert (asked.stopped_by, ended.stopped_by) == ("request", "time")
    for pool in (stopped, late, cancelled):
        assert (pool.now_s, pool.out, len(pool.begun)) == (14.0, [], 5)


def test_the_time_ends_what_still_runs_and_it_does_not_count(tmp_path: Path) -> None:
    pool = Pool()
    result = run(tmp_path, pool, timeout_s=7.0, n_trials=100)

    assert result.stopped_by == "time"
    assert len(result.trials) == 7
    assert pool.given_up
    assert pool.now_s == 7.0
    again = Pool()
    again.now_s = 100.0
    assert run(tmp_path, again, timeout_s=9.0, n_trials=100).elapsed_s == pytest.approx(9.0)


def test_the_first_complete_trial_is_waited_for_whatever_the_time(tmp_path: Path) -> None:
    pool = Pool()
    result = run(tmp_path, pool, timeout_s=0.5, n_trials=100)
    assert len(result.trials) == 1
    assert len(pool.begun) == WIDTH


def test_a_request_ends_the_search_with_the_best_so_far(tmp_path: Path) -> None:
    pool = Pool()
    result = run(tmp_path, pool, is_stopped=lambda: pool.now_s >= 4, n_trials=100)
    assert result.stopped_by == "request"
    assert len(result.trials) == 4
    assert len(pool.given_up) >= 1


def test_a_search_that_was_interrupted_repeats_nothing_that_had_ended(tmp_path: Path) -> None:
    def interrupt(progress: StudyProgress) -> None:
        if progress.n_finished == 5:
            raise ConflictError("cancelled")

    first, second = Pool(), Pool()
    with pytest.raises(ConflictError):
        run(tmp_path, first, on_progress=interrupt)
    n_out = len(first.given_up)
    result = run(tmp_path, second)

    assert n_out >= 1
    assert [trial.index for trial in result.trials] == list(range(20))
    assert len(second.begun) == 15
    ended = {index for index, _ in first.begun} - set(first.given_up)
    assert not ended & {index for index, _ in second.begun}


def test_a_search_goes_on_in_this_process_where_the_pool_is_gone(tmp_path: Path) -> None:
    def interrupt(progress: StudyProgress) -> None:
        if progress.n_finished == 5:
            raise ConflictError("cancelled")

    def here(params: Params) -> Iterator[float]:
        yield from scored(Order(params, Rivals(1.0, 0), None)).scores

    with pytest.raises(ConflictError):
        run(tmp_path, Pool(), on_progress=interrupt)
    result = run_study(plan(tmp_path), Objective(suggest, here), on_progress=lambda _: None)
    assert [trial.index for trial in result.trials] == list(range(20))


def test_ray_that_is_not_installed_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    with pytest.raises(InvalidInputError, match=r"pip install 'ml-orchestrator-mcp\[ray\]=="):
        clusters.check_cluster("local")
    with (
        pytest.raises(InvalidInputError, match="which is not installed here"),
        clusters.open_cluster("local"),
    ):
        raise AssertionError("it was opened")


def test_a_trial_elsewhere_gives_what_it_gives_here(tmp_path: Path) -> None:
    spec = TrainingSpec(source="t.csv", n_folds=3, objectives=("quality", "size"), metric="roc_auc")
    job = prepare(spec, dataset_of(mixed_table()))
    params: Params = {"trainer": "linear", "penalty": 1.0, "class_weight": "none"}
    files = AnswerFiles(tmp_path, higher_is_better=True)
    here = list(evaluate_on(job.table, job.split, job.build, files)(params))

    trial: Trial = pickle.loads(pickle.dumps(trial_of(job)))
    there = trial(Order(params, Rivals(1.0, 0), None))

    assert there.state == "complete"
    assert there.scores == tuple(here)
    assert len(there.costs) == 1
    assert there.answered is not None
    kept = files.load(params, [job.table.codes[rows] for _, rows in job.split.folds])
    assert kept is not None
    for given, own in zip(there.answered.folds, kept.folds, strict=True):
        np.testing.assert_array_equal(given.probabilities, own.probabilities)


def test_a_trial_elsewhere_ends_when_it_is_behind_out_of_time_or_broken(tmp_path: Path) -> None:
    spec = TrainingSpec(source="t.csv", n_folds=3, metric="roc_auc")
    trial = trial_of(prepare(spec, dataset_of(mixed_table())))
    params: Params = {"trainer": "linear", "penalty": 1.0, "class_weight": "none"}
    rivals = Rivals(1.0, 0, scores=((1.0, 1.0, 1.0),) * 5)

    behind = trial(Order(params, rivals, None))
    late = trial(Order(params, Rivals(1.0, 0), 0.0))
    broken = trial(Order({**params, "penalty": -1.0}, Rivals(1.0, 0), None))

    assert (behind.state, len(behind.scores)) == ("pruned", 2)
    assert (late.state, len(late.scores)) == ("cut off", 1)
    assert (broken.state, broken.answered) == ("failed", None)
    assert broken.error


def test_joining_a_cluster_takes_from_the_time_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, planned_s, earlier_s = [100.0], list[float](), list[float]()
    ended = FinishedTrial(0, "complete", {}, (0.5,), 2.0, "")

    @contextmanager
    def joined() -> Iterator[Any]:
        now_s[0] += 7.0
        yield SimpleNamespace(about="a cluster", pool=lambda _: Pool())

    def study(plan: StudyPlan, **_: Any) -> StudyResult:
        planned_s.append(plan.timeout_s)
        now_s[0] += 2.0
        return StudyResult((ended,), ended, "time", elapsed_s=2.0 + 3.0)  # 3 s in one that died

    monkeypatch.setattr(trials, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(trials, "run_study", study)
    job = prepare(TrainingSpec(source="t.csv", timeout_s=30), dataset_of(mixed_table()))
    search = trials.set_up(
        job, tmp_path, recall=lambda _: (), began_at=time.monotonic(), away=joined
    )
    monkeypatch.setattr(search.budget, "count_earlier", earlier_s.append)

    result = trials.run(search, report=lambda *_: None, is_stopped=lambda: False)

    assert planned_s == [pytest.approx(search.plan.timeout_s - 7.0)]
    assert earlier_s == [pytest.approx(3.0)]
    assert result.at_once == "up to 3 at once on a cluster"
