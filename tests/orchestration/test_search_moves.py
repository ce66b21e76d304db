"""A search whose worker is killed goes on in another data directory, by its trials in Postgres."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select
from tests.conftest import new_postgres_url
from tests.orchestration.shared_bench import Site, Sites, open_sites
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
TEAM: dict[str, Any] = {"worker_pool": "team", "lease_ttl_s": 10.0}


@pytest.fixture
def sites(tmp_path: Path, postgres_server: str) -> Iterator[Sites]:
    with open_sites(tmp_path, new_postgres_url(postgres_server)) as opened:
        yield opened


@contextmanager
def held(url: str, condition: str, change: str) -> Iterator[None]:
    """Keep everybody from making a change of rows on a condition, however fast they are."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    function = (
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN PERFORM pg_advisory_xact_lock({LOCK}); END IF; "
        "RETURN NEW; END $$"
    )
    trigger = f"CREATE TRIGGER hold BEFORE {change} FOR EACH ROW EXECUTE FUNCTION hold()"
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


def files_of(database: Database) -> set[str]:
    """Return the files of the run that the database keeps."""
    query = select(study_files.c.name).where(study_files.c.run_id == RUN)
    return set(database.read(lambda connection: connection.execute(query).scalars().all()))


def start_search(site: Site, **changed: Any) -> None:
    workflow = WORKFLOWS["tiny-search"]
    site.client.start(RUN, workflow, validated(workflow, SEARCH | changed), actor="tester")


def kill(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def test_a_search_that_is_killed_goes_on_elsewhere_and_repeats_no_finished_trial(
    sites: Sites, tmp_path: Path
) -> None:
    left, right = (sites.site(name, **TEAM) for name in ("left", "right"))
    database = open_database(left.settings.state_url, tmp_path)
    killed = left.start_worker()
    few_lines = f"NEW.number >= {MOST_LINES}"
    with held(left.settings.state_url, few_lines, "INSERT ON study_lines"):
        start_search(left)
        until(lambda: len(outcomes(database)) >= 3, what="three trials are finished")
        kill(killed)
    assert len(outcomes(database)) < N_TRIALS
    right.start_worker()
    until(lambda: len(outcomes(database)) >= N_TRIALS, what="the other one has searched")
    status = right.finished(RUN)
    told = outcomes(database)
    n_files = len(files_of(database))
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


def test_a_search_killed_between_its_end_and_its_record_keeps_its_answers_elsewhere(
    sites: Sites, tmp_path: Path
) -> None:
    left, right = (sites.site(name, **TEAM) for name in ("left", "right"))
    database = open_database(left.settings.state_url, tmp_path)
    killed = left.start_worker()
    ended = left.settings.home / "runs" / RUN / "search.1.answer.json"
    with held(left.settings.state_url, "NEW.is_movable = 0", "UPDATE ON run_homes"):
        start_search(left, n_trials=6)
        until(lambda: len(outcomes(database)) >= 1, what="a trial is finished")
        until(lambda: len(outcomes(database)) >= 6, what="all trials are finished")
        until(ended.exists, what="the search has ended, and nobody has it on record")
        kill(killed)
        kept = files_of(database)
        told = outcomes(database)
    right.start_worker()
    there = right.settings.home / "runs" / RUN
    until((there / "study").exists, what="the other one goes on")
    until((there / "search.1.answer.json").exists, what="the other one has ended it, too")
    status = right.finished(RUN)
    answers = {
        str(path.relative_to(there / "study")) for path in (there / "study/out_of_fold").iterdir()
    }
    told_now, left_over = outcomes(database), files_of(database)
    database.close()

    assert status.state == "succeeded", status.error
    assert len(told) == 6
    assert told_now == told  # no trial was run again
    assert any(name.startswith("out_of_fold/") for name in kept)
    assert {name for name in kept if name.startswith("out_of_fold/")} <= answers
    assert left_over == set()
