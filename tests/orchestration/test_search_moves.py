"""A search whose worker is killed goes on in another data directory, by its trials in Postgres."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.conftest import new_postgres_url
from tests.orchestration.shared_bench import Sites, open_sites
from tests.orchestration.workflow_bench import until

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.orchestration.sharing.homes import RunHomes
from ml_orchestrator.orchestration.sharing.pools import home_id
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import study_files, study_lines
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import train

RUN = "run-1x"
N_TRIALS = 20
SEARCH: dict[str, Any] = {
    "source": "builtin:iris",
    "trainers": ("linear", "nearest"),
    "n_trials": N_TRIALS,
    "n_folds": 3,
    "seed": 5,
}


@pytest.fixture
def sites(tmp_path: Path, postgres_server: str) -> Iterator[Sites]:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as opened:
        yield opened


def outcomes(database: Database) -> list[dict[str, Any]]:
    """Return how each trial of the run ended, as often as that was told, in order."""
    query = select(study_lines.c.line).where(study_lines.c.run_id == RUN)
    ordered = query.order_by(study_lines.c.number)
    lines = database.read(lambda connection: connection.execute(ordered).scalars().all())
    told = [json.loads(line).get("user_attr", {}) for line in lines if line]
    return [attributes["outcome"] for attributes in told if "outcome" in attributes]


def test_a_search_that_is_killed_goes_on_elsewhere_and_repeats_no_finished_trial(
    sites: Sites, tmp_path: Path
) -> None:
    left, right = (sites.site(name, worker_pool="team") for name in ("left", "right"))
    database = open_database(left.settings.state_url, tmp_path)
    workflow = WORKFLOWS["search-alone"]
    killed = left.start_worker()
    left.client.start(RUN, workflow, validated(workflow, SEARCH), actor="tester")
    until(lambda: len(outcomes(database)) >= 3, what="three trials are finished")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    right.start_worker()
    until(lambda: len(outcomes(database)) >= N_TRIALS, what="the other one has searched")
    status = right.finished(RUN)
    told = outcomes(database)
    n_files = len(database.read(lambda connection: connection.execute(select(study_files)).all()))
    home = RunHomes(right.settings, database).of(RUN)
    database.close()

    assert status.state == "succeeded", status.error
    assert [outcome["index"] for outcome in told] == list(range(N_TRIALS))  # each once, in order
    assert not (left.settings.home / "runs" / RUN / "search.1.answer.json").exists()
    assert (right.settings.home / "runs" / RUN / "search.1.answer.json").exists()
    assert n_files == 0
    assert home is not None
    assert (home.home_id, home.is_movable) == (home_id(right.settings.home), False)
    spec = TrainingSpec(**SEARCH)
    undisturbed = train(
        spec,
        load_dataset(spec.source, roots=[], max_bytes=1),
        study_dir=tmp_path / "alone",
        report=lambda *_: None,
    ).summary.model_dump(mode="json")
    assert status.result is not None
    found = status.result["summary"]
    assert {**found, "seconds": 0} == {**undisturbed, "seconds": 0}
