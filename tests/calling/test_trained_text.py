"""The end of a training in a terminal: what next, and what is typed for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_orchestrator.calling.acts import _asked
from ml_orchestrator.calling.trained import training_text
from ml_orchestrator.cli import _read
from ml_orchestrator.datasets.leakage import leakage_notice
from ml_orchestrator.datasets.models import LeakageSuspect

LEAK = LeakageSuspect(column="paid at", measure="r2", score=1.0, evidence="It tells all.")
TYPED = ["train", "d.csv", "y", "--ignore", "id", "n_trials=5", "--model", "m", "--watch"]


def status(*leaks: LeakageSuspect) -> dict[str, Any]:
    interval = {"estimate": 1.0, "low": 1.0, "high": 1.0, "level": 0.95, "n": 90}
    summary = {
        "target": "y",
        "task": "regression",
        "metric": "r2",
        "higher_is_better": True,
        "holdout": {"r2": interval},
        "baseline": {"r2": 0.0},
        "strongest_baseline": "mean",
        "baseline_gain": None,
        "trainer": "linear",
        "leakage_suspects": [leak.column for leak in leaks],
        "warnings": [leakage_notice(leak) for leak in leaks],
    }
    result = {"summary": summary, "model": "m", "version": 3, "alias": "challenger"}
    return {"run_id": "run-1", "state": "succeeded", "result": result}


def lines(*leaks: LeakageSuspect, typed: Sequence[str] = TYPED) -> list[str]:
    return training_text(status(*leaks), Path("h"), _asked(_read(typed))).splitlines()


def test_without_a_leak_the_version_may_be_moved_next() -> None:
    assert lines()[-4:] == [
        "Next:",
        "  ml-orchestrator --home h registry show m",
        "  ml-orchestrator --home h registry move m champion 3 --reason '...'   "
        "# if @champion is set: --expect VERSION",
        "  ml-orchestrator --home h runs show run-1   # all of it; --json prints it as JSON",
    ]


def test_after_a_leak_the_same_training_without_the_column_is_next_and_no_move() -> None:
    said = lines(LEAK)

    assert [line for line in said if "registry move" in line] == []
    assert said[-5:] == [
        "  warning   'paid at' may leak the target. It tells all. If not, leave it out by train "
        "--ignore 'paid at'.",
        "Next:",
        "  Is 'paid at' known when the model is asked? If not, the score says nothing; train "
        "without:",
        "  ml-orchestrator --home h train d.csv y n_trials=5 --model m --ignore id --watch "
        "--ignore 'paid at'",
        "  ml-orchestrator --home h runs show run-1   # all of it; --json prints it as JSON",
    ]


def test_a_key_of_the_call_is_not_typed_again_as_it_is_bound_to_the_first_training() -> None:
    """The same key with another ``--ignore`` is refused as a conflict."""
    assert lines(LEAK, typed=[*TYPED, "idempotency_key=k-1", "seed=3"])[-2] == (
        "  ml-orchestrator --home h train d.csv y n_trials=5 seed=3 --model m --ignore id --watch "
        "--ignore 'paid at'"
    )
