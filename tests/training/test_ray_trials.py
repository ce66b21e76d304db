"""Trials on a real Ray of this machine, where it is installed; see also test_trials_at_once."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.orchestration.workflow_bench import is_gone, until
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.training.clusters import open_cluster
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.pools import Cluster
from ml_orchestrator.training.scoring import evaluate_on
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.trainers import TRAINERS

if not os.environ.get("NEED_RAY"):  # `make test-ray` sets it: there nothing is skipped
    pytest.importorskip("ray", reason="the extra ray is optional: make test-ray")

KILLED = Path(__file__).with_name("killed_ray_training.py")
TRAINERS_THERE = "tests.training.ray_trainers"


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def cluster(notes: Path) -> Iterator[Cluster]:
    """A Ray of two processes, with families of the tests in both places."""
    with pytest.MonkeyPatch.context() as patch:
        there = import_module(TRAINERS_THERE)
        patch.setenv(there.NOTES, str(notes))
        with open_cluster("local", at_once=2, plugins=[TRAINERS_THERE]) as opened:
            yield opened
    for name in there.NAMES:
        TRAINERS._take_back(name)


def trained(
    folder: Path,
    cluster: Cluster,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
    **given: Any,
) -> TrainedModel:
    values = {
        "source": "t.csv",
        "n_folds": 3,
        "n_trials": 6,
        "metric": "roc_auc",
        "timeout_s": 3600,
    }
    return train(
        TrainingSpec(**{**values, **given}),
        dataset_of(mixed_table()),
        study_dir=folder,
        report=lambda *_: None,
        is_stopped=is_stopped,
        away=lambda: nullcontext(cluster),
    )


def is_agent(process: psutil.Process) -> bool:
    """Whether it serves Ray's own pages and environments; such end up to a minute later."""
    try:
        return "Agent" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True


def test_a_search_on_ray_scores_as_one_here_and_says_what_the_seed_does_not_fix(
    tmp_path: Path, cluster: Cluster
) -> None:
    names = ("linear", "forest", "histogram_boosting", "nearest", "naive_bayes", "neural_net")
    summary = trained(tmp_path / "away", cluster, trainers=names, n_trials=12).summary

    spec = TrainingSpec(source="t.csv", n_folds=3, metric="roc_auc", trainers=names)
    job = prepare(spec, dataset_of(mixed_table()))
    files = AnswerFiles(tmp_path / "here", higher_is_better=True)
    here = evaluate_on(job.table, job.split, job.build, files)(
        {"trainer": summary.trainer, **summary.params}
    )
    assert (summary.n_trials, summary.n_failed, summary.stopped_by) == (12, 0, "trials")
    assert list(summary.cv_fold_scores) == pytest.approx(list(here), rel=1e-9)
    assert summary.holdout["roc_auc"].low > 0.5
    (told,) = [said for said in summary.warnings if "at once" in said]
    assert told.startswith("Trials ran up to 2 at once on Ray (local, 2 processors): ")


def test_a_trial_that_takes_its_process_along_is_lost_and_the_run_goes_on(
    tmp_path: Path, cluster: Cluster
) -> None:
    names = ("linear", "deadly")
    summary = trained(tmp_path, cluster, trainers=names, allocation="uniform").summary
    assert (summary.n_trials, summary.n_complete + summary.n_pruned) == (6, 3)
    assert summary.n_failed == 3
    assert summary.trainer == "linear"


def test_a_request_ends_the_search_and_kills_what_runs_elsewhere(
    tmp_path: Path, cluster: Cluster, notes: Path
) -> None:
    model = trained(
        tmp_path,
        cluster,
        trainers=("linear", "endless"),
        allocation="uniform",
        is_stopped=lambda: bool(list(notes.iterdir())),
    )
    assert model.summary.stopped_by == "request"
    assert model.summary.trainer == "linear"
    until(lambda: all(is_gone(int(note.name)) for note in notes.iterdir()), what="it is killed")


def test_a_driver_that_is_killed_leaves_no_process_and_its_search_goes_on(tmp_path: Path) -> None:
    def n_finished() -> Iterator[int]:
        assert driver.stdout is not None
        for line in driver.stdout:
            yield int(line)

    command = [sys.executable, str(KILLED), str(tmp_path)]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert any(number >= 3 for number in n_finished())
    children = psutil.Process(driver.pid).children(recursive=True)
    left = [process for process in children if not is_agent(process)]
    driver.kill()
    driver.wait()
    for stream in (driver.stdin, driver.stdout):
        assert stream is not None
        stream.close()
    until(lambda: all(is_gone(process.pid) for process in left), what="its Ray has gone")
    assert len(left) >= 3  # the control store, the node's manager, processes

    again = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    assert again.stdout.splitlines()[-1] == "20 0"


@pytest.mark.parametrize(
    ("raised", "state", "said"),
    [
        ("RaySystemError", "lost", "RaySystemError: "),
        ("ObjectStoreFullError", "lost", "ObjectStoreFullError: "),
        ("ModuleNotFoundError", "lost", "ModuleNotFoundError: "),
        ("WorkerCrashedError", "died", "its process on the cluster died (WorkerCrashedError)"),
        ("OutOfMemoryError", "died", "its process on the cluster ran out of memory"),
    ],
)
def test_a_fault_of_the_cluster_is_told_apart_from_one_of_the_trial(
    monkeypatch: pytest.MonkeyPatch, raised: str, state: str, said: str
) -> None:
    inside = import_module("ml_orchestrator.training._ray")
    kind = getattr(inside.exceptions, raised, ModuleNotFoundError)  # a result that is not read
    error = kind() if raised == "WorkerCrashedError" else kind("it is down")

    def get(_: object) -> object:
        raise error

    monkeypatch.setattr(inside.ray, "get", get)
    ended = inside._outcome(None)

    assert (ended.state, ended.error[: len(said)]) == (state, said)


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UnavailableError, match=r"The Ray cluster at ray://127.0.0.1:9 cannot be"),
        open_cluster("ray://127.0.0.1:9"),
    ):
        raise AssertionError("it is there")
