"""The search adapter: it finds what was planted, keeps its budget and survives kill -9."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import (
    Objective,
    StudyPlan,
    StudyProgress,
    StudyResult,
    TrialFailedError,
)

KILLED_STUDY = Path(__file__).with_name("killed_study.py")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def quiet(progress: StudyProgress) -> None:
    """Ignore progress."""


def plan(directory: Path, **given: object) -> StudyPlan:
    values = {
        "fingerprint": "toy",
        "higher_is_better": False,
        "n_trials": 10,
        "timeout_s": 1e6,
        "seed": 0,
    }
    return StudyPlan(directory=directory, **{**values, **given})  # type: ignore[arg-type]


def suggest_plane(space: ParamSpace) -> Params:
    return {"x": space.real("x", -5, 5), "y": space.real("y", 1e-3, 1e3, log=True)}


def bowl(params: Params) -> Iterator[float]:
    """Yield one score, smallest at x = 2 and y = 10."""
    from math import log10

    yield (float(params["x"]) - 2) ** 2 + (log10(float(params["y"])) - 1) ** 2


def test_a_planted_minimum_is_found(tmp_path: Path) -> None:
    result = run_study(
        plan(tmp_path, n_trials=80), Objective(suggest_plane, bowl), on_progress=quiet
    )

    assert result.stopped_by == "trials"
    assert float(result.best.params["x"]) == pytest.approx(2, abs=0.3)
    assert 5 < float(result.best.params["y"]) < 20
    first_ten = min(t.mean_score for t in result.trials[:10])
    assert result.best.mean_score < first_ten / 4


def test_a_planted_maximum_moves_the_search_the_other_way(tmp_path: Path) -> None:
    def hill(params: Params) -> Iterator[float]:
        yield -next(bowl(params))

    result = run_study(
        plan(tmp_path, n_trials=60, higher_is_better=True),
        Objective(suggest_plane, hill),
        on_progress=quiet,
    )

    assert float(result.best.params["x"]) == pytest.approx(2, abs=0.5)


def test_given_points_are_tried_first_and_in_order(tmp_path: Path) -> None:
    first: list[Params] = [{"x": 1.0, "y": 1.0}, {"x": -4.0, "y": 100.0}]

    result = run_study(
        plan(tmp_path, first=first), Objective(suggest_plane, bowl), on_progress=quiet
    )

    assert [trial.params for trial in result.trials[:2]] == first


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(tmp_path: Path) -> None:
    points = [
        [
            trial.params
            for trial in run_study(
                plan(tmp_path / str(i), seed=seed, n_trials=15),
                Objective(suggest_plane, bowl),
                on_progress=quiet,
            ).trials
        ]
        for i, seed in enumerate([1, 1, 2])
    ]

    assert points[0] == points[1] != points[2]


def slope(params: Params) -> Iterator[float]:
    """Yield five fold scores: best at x = 0.7, and folds differ among themselves."""
    for fold in range(5):
        yield -((float(params["x"]) - 0.7) ** 2) + 0.1 * fold


def test_pruning_stops_bad_trials_and_never_the_best(tmp_path: Path) -> None:
    def suggest(space: ParamSpace) -> Params:
        return {"x": space.real("x", 0, 1)}

    result = run_study(
        plan(tmp_path, n_trials=40, higher_is_better=True),
        Objective(suggest, slope),
        on_progress=quiet,
    )

    truth = {trial.index: sum(slope(trial.params)) / 5 for trial in result.trials}
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert len(pruned) >= 5
    assert all(2 <= len(trial.scores) < 5 for trial in pruned)
    assert result.best.index == max(truth, key=lambda index: truth[index])
    assert result.best.mean_score == pytest.approx(max(truth.values()))
    complete = [truth[t.index] for t in result.trials if t.state == "complete"]
    median = sorted(complete)[len(complete) // 2]
    assert all(truth[trial.index] < median for trial in pruned)


def timed(clock: Clock, n_folds: int = 4) -> Objective:
    def evaluate(params: Params) -> Iterator[float]:
        for _ in range(n_folds):
            clock.now_s += 1.0
            yield next(bowl(params))

    return Objective(suggest_plane, evaluate)


def test_the_time_budget_is_kept_to_the_fold(tmp_path: Path) -> None:
    clock = Clock()

    result = run_study(
        plan(tmp_path, n_trials=100, timeout_s=10.5), timed(clock), on_progress=quiet, clock=clock
    )

    assert clock.now_s == 11.0
    assert result.stopped_by == "time"
    assert [trial.state for trial in result.trials] == ["complete"] * 2


def test_one_trial_is_always_finished(tmp_path: Path) -> None:
    clock = Clock()

    result = run_study(
        plan(tmp_path, n_trials=100, timeout_s=1.0), timed(clock), on_progress=quiet, clock=clock
    )

    assert len(result.trials) == 1
    assert len(result.best.scores) == 4


def test_time_spent_before_a_resumption_counts(tmp_path: Path) -> None:
    clock = Clock()
    run_study(plan(tmp_path, n_trials=2), timed(clock), on_progress=quiet, clock=clock)

    resumed = run_study(
        plan(tmp_path, n_trials=100, timeout_s=12.0), timed(clock), on_progress=quiet, clock=clock
    )

    assert clock.now_s == 12.0
    assert len(resumed.trials) == 2


def test_a_study_may_be_continued_with_more_trials(tmp_path: Path) -> None:
    objective = Objective(suggest_plane, bowl)
    short = run_study(plan(tmp_path / "a", n_trials=7), objective, on_progress=quiet)
    longer = run_study(plan(tmp_path / "a", n_trials=20), objective, on_progress=quiet)
    whole = run_study(plan(tmp_path / "b", n_trials=20), objective, on_progress=quiet)

    assert longer.trials[:7] == short.trials
    assert _content(longer) == _content(whole)


def _content(result: StudyResult) -> list[object]:
    return [(t.index, t.state, t.params, t.scores) for t in result.trials]


def test_a_cancelled_study_runs_its_unfinished_trial_again(tmp_path: Path) -> None:
    class CancelledError(ValueError):
        pass

    def cancel(progress: StudyProgress) -> None:
        if progress.n_finished == 3 and progress.n_folds_done == 1:
            raise CancelledError

    objective = Objective(suggest_plane, bowl)
    with pytest.raises(CancelledError):
        run_study(plan(tmp_path / "a"), objective, on_progress=cancel)

    resumed = run_study(plan(tmp_path / "a"), objective, on_progress=quiet)
    whole = run_study(plan(tmp_path / "b"), objective, on_progress=quiet)
    assert _content(resumed) == _content(whole)


def test_failing_trials_are_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    def evaluate(params: Params) -> Iterator[float]:
        if float(params["x"]) < 0:
            raise TrialFailedError("x is negative")
        yield float("nan") if float(params["x"]) > 4 else 1.0

    result = run_study(
        plan(tmp_path, n_trials=30), Objective(suggest_plane, evaluate), on_progress=quiet
    )

    for trial in result.trials:
        x = float(trial.params["x"])
        expected = "x is negative" if x < 0 else "score is nan" if x > 4 else ""
        assert (trial.state == "failed") == bool(expected)
        assert expected in trial.error


def test_a_study_in_which_nothing_can_be_scored_says_why(tmp_path: Path) -> None:
    def evaluate(params: Params) -> Iterator[float]:
        raise TrialFailedError("singular matrix")
        yield 0.0

    with pytest.raises(InvalidInputError, match=r"None of 3 trials could be scored.*singular"):
        run_study(plan(tmp_path, n_trials=3), Objective(suggest_plane, evaluate), on_progress=quiet)


def test_a_directory_refuses_a_second_runner_and_another_question(tmp_path: Path) -> None:
    refusals: list[str] = []
    objective = Objective(suggest_plane, bowl)

    def run_inside(progress: StudyProgress) -> None:
        with pytest.raises(ConflictError) as caught:
            run_study(plan(tmp_path), objective, on_progress=quiet)
        refusals.append(str(caught.value))

    run_study(plan(tmp_path, n_trials=1), objective, on_progress=run_inside)
    assert all("Another process is running" in refusal for refusal in refusals)
    assert refusals

    with pytest.raises(ConflictError, match="another question"):
        run_study(plan(tmp_path, fingerprint="other"), objective, on_progress=quiet)


def test_progress_counts_up_and_knows_the_best(tmp_path: Path) -> None:
    seen: list[StudyProgress] = []

    result = run_study(
        plan(tmp_path, n_trials=5), Objective(suggest_plane, bowl), on_progress=seen.append
    )

    finished = [progress.n_finished for progress in seen]
    assert finished == sorted(finished)
    assert finished[-1] == 5
    assert seen[-1].best == result.best
    assert seen[-1].eta_s == 0
    assert seen[0].best is None


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_a_draw_that_does_not_count_changes_no_later_trial(tmp_path: Path, sampler: str) -> None:
    """A cancelled trial uses up a number of Optuna's, as does one of a process that died."""

    class CancelledError(ValueError):
        pass

    def cancel(progress: StudyProgress) -> None:
        if progress.n_folds_done == 1 and progress.n_finished in (3, 12, 15):
            raise CancelledError

    objective = Objective(suggest_plane, bowl)
    given = {"n_trials": 22, "sampler": sampler}
    with pytest.raises(CancelledError):
        run_study(plan(tmp_path / "a", **given), objective, on_progress=cancel)
    with pytest.raises(CancelledError):
        run_study(plan(tmp_path / "a", **given), objective, on_progress=cancel)

    resumed = run_study(plan(tmp_path / "a", **given), objective, on_progress=quiet)
    whole = run_study(plan(tmp_path / "b", **given), objective, on_progress=quiet)
    assert _content(resumed) == _content(whole)


def test_a_study_killed_at_any_write_gives_the_same_trials(tmp_path: Path) -> None:
    """Each journal write is the place of a death: half written, or just after it."""
    ran = subprocess.run(
        [sys.executable, str(KILLED_STUDY), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    cases = [json.loads(line) for line in ran.stdout.splitlines()]
    *deaths, survivor = cases

    assert not survivor["died"]
    assert len(deaths) > 12 * 5
    expected = survivor["trials"]
    assert [trial[0] for trial in expected] == list(range(12))
    assert {trial[1] for trial in expected} == {"complete", "failed", "pruned"}
    unequal = [(c["write"], c["way"]) for c in cases if c["trials"] != expected]
    assert unequal == []
    assert {case["n_open"] for case in cases} == {0}


def test_time_ends_a_search_whose_trials_all_fail(tmp_path: Path) -> None:
    clock = Clock()

    def fail(params: Params) -> Iterator[float]:
        clock.now_s += 4
        raise TrialFailedError("only one class")
        yield 0.0

    with pytest.raises(InvalidInputError, match="None of 3 trials could be scored"):
        run_study(
            plan(tmp_path, n_trials=100, timeout_s=10),
            Objective(suggest_plane, fail),
            on_progress=quiet,
            clock=clock,
        )
