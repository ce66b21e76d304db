"""The step that a person does, in this process: asked once, whatever dies in between."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ml_orchestrator.orchestration.people import open_approvals
from ml_orchestrator.orchestration.pipelines.approving import PipelineApprovals
from ml_orchestrator.orchestration.pipelines.units import Unit
from ml_orchestrator.storage.engine import Database, open_database

UNIT = Unit(
    run_id="run-1",
    pipeline="tested",
    digest="d" * 64,
    actor="tester",
    step="ask",
    item=None,
    attempt=1,
    run_attempt=1,
    uses="approval",
    version=0,
    inputs={"question": "Go on?"},
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    yield opened
    opened.close()


def test_a_person_is_not_asked_again_when_the_worker_dies_before_it_is_recorded(
    database: Database,
) -> None:
    dying, persons = PipelineApprovals(database), open_approvals(database)
    asked = dying.ask(UNIT)
    persons.decide(asked.id, "approved", decided_by="ann", via="terminal")
    before = dying.result(asked)
    next_worker = PipelineApprovals(database)
    again = next_worker.ask(UNIT)

    assert again.id == asked.id
    assert next_worker.result(again) == before
    assert before == {"output": {"approval_id": asked.id, "approved_by": "ann"}}
    assert persons.pending() == ()
    assert next_worker.ask(replace(UNIT, run_attempt=2)).id != asked.id
