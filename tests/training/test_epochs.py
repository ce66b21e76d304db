"""Trials that learn in epochs end early where others have gone on better, and when time is up."""

from collections.abc import Iterator
from pathlib import Path

from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.course import is_behind
from ml_orchestrator.training.epochs import hearing, tell_epoch
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import Objective, StudyPlan, StudyResult

N_EPOCHS, N_FOLDS = 20, 3


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def suggest(space: ParamSpace) -> Params:
    return {"x": space.real("x", 0, 1)}


def learning(seen: list[str], clock: Clock | None = None) -> Objective:
    """Return nets whose loss falls towards the distance of x from 0.7."""

    def evaluate(params: Params) -> Iterator[float]:
        apart = abs(float(params["x"]) - 0.7)
        for fold in range(N_FOLDS):
            for epoch in range(N_EPOCHS):
                seen.append(f"{params['x']} {fold}")
                if clock is not None:
                    clock.now_s += 1
                tell_epoch(apart + 1 / (1 + epoch))
            yield apart + 0.01 * fold

    return Objective(suggest, evaluate)


def plan(directory: Path, **given: object) -> StudyPlan:
    values = {"fingerprint": "toy", "higher_is_better": False, "n_trials": 30, "timeout_s": 1e6,
              "seed": 0, "n_folds": N_FOLDS}  # fmt: skip
    return StudyPlan(directory=directory, **{**values, **given})  # type: ignore[arg-type]


def content(result: StudyResult) -> list[object]:
    return [(t.index, t.state, t.params, t.scores, t.curve) for t in result.trials]


def test_a_hopeless_trial_ends_in_its_first_fold_and_never_the_best(tmp_path: Path) -> None:
    result = run_study(plan(tmp_path), learning([]), on_progress=lambda _: None)

    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert len(pruned) >= 5
    assert all(trial.scores == () and len(trial.curve) == 10 for trial in pruned)
    assert all(len(trial.curve) == N_EPOCHS for trial in result.trials if trial.state == "complete")
    nearest = min(result.trials, key=lambda trial: abs(float(trial.params["x"]) - 0.7))
    assert result.best == nearest


def test_a_search_goes_on_with_the_curves_it_had(tmp_path: Path) -> None:
    whole = run_study(plan(tmp_path / "a"), learning([]), on_progress=lambda _: None)
    run_study(plan(tmp_path / "b", n_trials=9), learning([]), on_progress=lambda _: None)
    resumed = run_study(plan(tmp_path / "b"), learning([]), on_progress=lambda _: None)

    assert content(resumed) == content(whole)


def test_the_time_is_looked_at_between_epochs_but_the_first_trial_ends(tmp_path: Path) -> None:
    clock, seen = Clock(), list[str]()
    result = run_study(
        plan(tmp_path, timeout_s=100.5),
        learning(seen, clock),
        on_progress=lambda _: None,
        clock=clock,
    )

    assert [trial.state for trial in result.trials] == ["complete"]
    assert result.stopped_by == "time"
    assert clock.now_s == 60  # a second trial of 60 s was not expected to end in time

    slow = Clock()
    limited = run_study(
        plan(tmp_path / "slow", timeout_s=100.5, n_folds=None),
        learning(seen, slow),
        on_progress=lambda _: None,
        clock=slow,
    )
    assert [trial.state for trial in limited.trials] == ["complete"]
    assert slow.now_s == 101  # in the last fold of the second


def test_a_request_ends_a_trial_between_epochs(tmp_path: Path) -> None:
    seen: list[str] = []
    result = run_study(
        plan(tmp_path),
        learning(seen),
        on_progress=lambda _: None,
        is_stopped=lambda: len(seen) >= 100,
    )

    assert result.stopped_by == "request"
    assert len(seen) == 100
    assert len(result.trials) == 1


def test_trials_of_other_options_are_not_compared(tmp_path: Path) -> None:
    """Half of the trials predict something else, whose losses are a thousand times as large."""

    def options(family: str, trials: object) -> Params:
        return {"net.past": "change" if len(trials) % 2 else "none"}  # type: ignore[arg-type]

    def evaluate(params: Params) -> Iterator[float]:
        unit = 1_000.0 if params["past"] == "change" else 1.0
        for _ in range(N_FOLDS):
            for epoch in range(N_EPOCHS):
                tell_epoch(unit * (2.0 - epoch / N_EPOCHS))
            yield 1.0

    def suggested(space: ParamSpace) -> Params:
        return {"family": space.choice("family", ["net"]), "x": space.real("net.x", 0, 1)}

    result = run_study(
        plan(tmp_path, n_trials=16, family="family", families=("net",), options=options,
             option_names=("past",)),
        Objective(suggested, evaluate),
        on_progress=lambda _: None,
    )  # fmt: skip

    assert {trial.state for trial in result.trials} == {"complete"}
    assert {trial.params["net.past"] for trial in result.trials} == {"none", "change"}


def test_the_least_loss_of_as_many_epochs_is_compared() -> None:
    others = [[3.0] * 9 + [value] + [0.0] * 9 for value in (1.0, 1.0, 2.0, 3.0, 3.0)]

    assert not is_behind([9.0] * 9, others)  # ten epochs are always run
    assert is_behind([9.0] * 9 + [2.1], others)
    assert not is_behind([2.0] + [9.0] * 9, others)
    assert not is_behind([9.0] * 10, others[:4])


def test_nobody_hears_what_is_told_outside() -> None:
    heard: list[float] = []
    with hearing(heard.append):
        tell_epoch(1.5)
    tell_epoch(2.5)

    assert heard == [1.5]
