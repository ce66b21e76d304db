"""Roll-outs of real models that are really served, with visitors, in this process."""

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from tests.registry.flowers import iris, log_flowers, make_desk

from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.rollouts.aliases import RegistryAliases
from ml_orchestrator.orchestration.rollouts.approving import RolloutApprovals
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal, open_outcomes
from ml_orchestrator.orchestration.rollouts.runner import RolloutRunner
from ml_orchestrator.orchestration.rollouts.telling import CONCERNED, MailTeller
from ml_orchestrator.orchestration.rollouts.watching import Watch
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.serving.control import Traffic
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.storage.engine import open_database

ME, GOOD = "ml-orchestrator", 1
TREES = ["sklearn.tree._tree.Tree"]
BAD = {"slow": 2, "drifts": 3, "dies at load": 4}
QUICK = {"interval_s": 0.2, "initial_delay_s": 0.2, "count": 2, "window_s": 5.0,
         "min_requests": 20, "inconclusive_limit": 200}  # fmt: skip
SPEC = {
    "strategy": "canary",
    "steps": [{"percent": 50, "pause_s": 1.0}, {"percent": 100}],
    "bake_s": 0.5,
    "gates": [
        {"metric": "error_rate", "succeeds_at_most": 0.0, **QUICK},
        {"metric": "latency_p50_ratio", "succeeds_at_most": 4, "fails_above": 6, **QUICK},
        {"metric": "prediction_drift", "succeeds_at_most": 0.1, "fails_above": 0.2, **QUICK},
    ],
}


def estimators() -> Mapping[int, Any]:
    frame, target = iris()
    mislabelled = target.replace({"versicolor": "virginica"})
    many = BaggingClassifier(LogisticRegression(C=0.01), n_estimators=80, random_state=0)
    return {
        GOOD: DecisionTreeClassifier(max_depth=3, random_state=0).fit(frame, target),
        BAD["slow"]: many.fit(frame, target),
        BAD["drifts"]: DecisionTreeClassifier(max_depth=3).fit(frame, mislabelled),
        BAD["dies at load"]: LogisticRegression(C=0.01).fit(frame.iloc[:, :3], target),
    }


class Stage:
    """A registry, a server of version 1 and what carries roll-outs out."""

    def __init__(self, home: Path) -> None:
        self.desk = make_desk(home)
        for number, model in estimators().items():
            self._register(home, number, model)
        self.desk.mover.move(
            MoveRequest(model="iris", alias="champion", version=GOOD, expected_version=None,
                        actor=ME, reason="the first")
        )  # fmt: skip
        self.database = open_database(f"sqlite:///{home / 'state.db'}", home)
        self.rollouts = RolloutDesk(self.database, lambda: self.desk)
        self.mailbox = SqlMailbox(self.database, shipped=CONCERNED)
        checkout = lambda version: self.desk.vault.checkout("iris", version)  # noqa: E731
        self.slots = ModelSlots("iris", in_process(checkout, extra_trusted=TREES))
        self.slots.start(GOOD)

    def roll_out(self, version: int) -> Rollout:
        plan = self.rollouts.plan(
            "iris", version, alias="champion", expected_version=GOOD, spec=SPEC, actor=ME
        )
        rollout_id = self.rollouts.start(plan, actor=ME, reason="a better score", key=None)
        runner = RolloutRunner(
            open_journal(self.database),
            Watch(open_outcomes(self.database), now=time.time),
            open_serving=lambda _: self.slots,
            aliases=RegistryAliases(self.desk),
            teller=MailTeller(self.mailbox),
            approvals=RolloutApprovals(self.desk),
            now=time.time,
            wait=time.sleep,
        )
        return runner.run(rollout_id)

    def _register(self, home: Path, number: int, model: Any) -> None:
        frame, _ = iris()
        logged = log_flowers(
            home, f"iris-{number}", model=model, trusted_types=TREES,
            predictions=model.predict(frame[model.feature_names_in_]),
        )  # fmt: skip
        self.desk.vault.register(
            "iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={}
        )


@contextmanager
def visitors(slots: ModelSlots) -> Iterator[list[int]]:
    """Ask again and again, one flower after the other."""
    over, statuses = threading.Event(), list[int]()
    bodies = [
        Request("application/json", json.dumps({"dataframe_records": [row]}).encode())
        for row in iris()[0].sample(frac=1, random_state=0).to_dict(orient="records")
    ]

    def ask() -> None:
        while not over.wait(0.001):
            statuses.append(slots.answer(bodies[len(statuses) % len(bodies)]).status)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("slow", "Gate latency_p50_ratio failed"),
        ("drifts", "Gate prediction_drift failed"),
        ("dies at load", "Version 4 loads but fails at its example"),
    ],
)
def test_a_real_version_that_is_worse_goes_back_and_all_records_agree(
    stage: Stage, fault: str, reason: str
) -> None:
    told_before = stage.mailbox.inbox(CONCERNED[0]).n_unread
    with visitors(stage.slots) as statuses:
        ended = stage.roll_out(BAD[fault])

    state = stage.slots.state()
    history = stage.desk.mover.history("iris", "champion", limit=10)
    assert ended.state == "rolled_back"
    assert str(ended.progress.reason).startswith(reason)
    assert (state.blue, state.green, state.traffic) == (GOOD, None, Traffic())
    assert (history.current_version, len(history.moves)) == (GOOD, 1)
    assert stage.mailbox.inbox(CONCERNED[0]).n_unread == told_before + 1
    assert set(statuses) == {200}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("stage")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    opened = Stage(home)
    yield opened
    opened.slots.close()
    opened.database.close()
