"""Runs a small study in forked children that kill themselves at a chosen journal write.

Usage: killed_study.py DIRECTORY. Prints one JSON line per case: the write, the way of dying
and the trials that the resumed study has in the end.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalStorage

from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import Objective, StudyPlan, StudyResult, TrialFailedError
from ml_orchestrator.training.study_log import StudyLog

N_TRIALS = 12
N_THOROUGH = 24  # writes of which both ways of dying are tried; by turns after that
append_logs = StudyLog.append_logs


def suggest(space: ParamSpace) -> Params:
    kind = space.choice("kind", ["a", "b"])
    return {"kind": kind, "x": space.real(f"{kind}.x", -1.0, 1.0)}


def evaluate(params: Params) -> Iterator[float]:
    x = float(params["x"])
    if x > 0.8:
        raise TrialFailedError("too far right")
    for fold in range(3):
        yield -((x - 0.3) ** 2) - 0.01 * fold - (0.2 if params["kind"] == "b" else 0.0)


def plan(directory: Path) -> StudyPlan:
    first: list[Params] = [{"kind": "a", "a.x": 0.9}, {"kind": "b", "b.x": 0.5}]
    return StudyPlan(
        directory, "toy", True, N_TRIALS, 1e6, seed=3, first=first, family="kind", families="ab"
    )


def run(directory: Path) -> StudyResult:
    return run_study(plan(directory), Objective(suggest, evaluate), on_progress=lambda _: None)


def record(result: StudyResult) -> list[Any]:
    return [[t.index, t.state, t.params, t.scores, t.error] for t in result.trials]


def die_at(write: int, way: str) -> None:
    """Make this process kill itself in the middle of its n-th write, or after it."""
    n_written = 0

    def append(self: StudyLog, logs: Sequence[Mapping[str, Any]]) -> None:
        nonlocal n_written
        n_written += 1
        append_logs(self, logs)
        if n_written == write:
            if way == "torn":
                self._file.truncate(self._file.seek(0, os.SEEK_END) - 7)
            os.kill(os.getpid(), signal.SIGKILL)

    StudyLog.append_logs = append  # type: ignore[method-assign]


def killed(directory: Path, write: int, way: str) -> bool:
    """Run in a child that dies; return whether it did, or finished before."""
    child = os.fork()
    if child == 0:
        die_at(write, way)
        run(directory)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def n_open(directory: Path) -> int:
    """Return how many trials the journal still has as waiting or running."""
    storage = JournalStorage(JournalFileBackend(str(directory / "study.journal")))
    study = storage.get_all_studies()[0]
    return sum(not t.state.is_finished() for t in storage.get_all_trials(study._study_id))


def main(base: Path) -> None:
    write, was_killed = 0, True
    while was_killed:
        write += 1
        both = ("torn", "after")
        for way in both if write <= N_THOROUGH else both[write % 2 :][:1]:
            directory = base / f"{way}-{write}"
            was_killed = killed(directory, write, way)
            case = {"write": write, "way": way, "died": was_killed}
            trials = record(run(directory))
            print(json.dumps({**case, "trials": trials, "n_open": n_open(directory)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
