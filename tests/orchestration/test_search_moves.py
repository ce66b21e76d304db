"""A search whose worker is killed goes on in another data directory, by its trials in Postgres."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select
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
MOST_LINES = 80  # of its log: some trials, and far from all
LOCK = 7  # any number that nobody else takes
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


@contextmanager
def held(url: str) -> Iterator[None]:
    """Keep searches from adding more than a number of lines, however fast they are."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    function = (
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.number >= {MOST_LINES} THEN PERFORM pg_advisory_xact_lock({LOCK}); END IF; "
        "RETURN NEW; END $$"
    )
    trigger = (
        "CREATE TRIGGER hold BEFORE INSERT ON study_lines FOR EACH ROW EXECUTE FUNCTION hold()"
    )
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in (f"SELECT pg_advisory_lock({LOCK})", function, trigger):
            connection.execute(statement.encode())
        yield


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
    given: dict[str, Any] = {"worker_pool": "team", "lease_ttl_s": 10.0}
    left, right = (sites.site(name, **given) for name in ("left", "right"))
    database = open_database(left.settings.state_url, tmp_path)
    workflow = WORKFLOWS["tiny-search"]
    killed = left.start_worker()
    with held(left.settings.state_url):
        left.client.start(RUN, workflow, validated(workflow, SEARCH), actor="tester")
        until(lambda: len(outcomes(database)) >= 3, what="three trials are finished")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert len(outcomes(database)) < N_TRIALS
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
