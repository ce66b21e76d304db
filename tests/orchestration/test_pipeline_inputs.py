"""What a pipeline's step was given can be read while it runs and afterwards."""

import asyncio
from typing import Any

import pytest
from tests.orchestration.test_pipeline_executing import Log, plan_of
from tests.run_statuses import run_status

from ml_orchestrator import running
from ml_orchestrator.orchestration.models import NodeStatus, RunState, StepStatus
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out
from ml_orchestrator.orchestration.pipelines.given import MOST_ITEMS, MOST_TEXT
from ml_orchestrator.orchestration.pipelines.looking import steps_of
from ml_orchestrator.orchestration.pipelines.units import StoredPlan, Unit

STEPS: dict[str, dict[str, Any]] = {
    "top": {"uses": "note", "with": {"ledger": "x", "label": "of ${run.id}", "value": 1}},
    "fan": {
        "uses": "note",
        "for_each": [*range(12)],
        "with": {"label": "fan-${item}", "value": "${steps.top.output.value}"},
    },
    "last": {"uses": "note", "with": {"label": "last"}, "needs": ["fan"]},
    "never": {"uses": "note", "with": {"label": "never"}, "when": "${run.id} == ''"},
}


def nodes(plan: dict[str, Any], state: RunState, log: Log) -> dict[str, NodeStatus]:
    found = {step.name: step.node for step in steps_of(plan, "run-1", state, log.as_rows)}
    return {name: node for name, node in found.items() if node is not None}


def test_what_is_shown_is_what_each_step_got() -> None:
    plan, log = plan_of(STEPS), Log({"top": {"output": {"value": 7}}}, seed=0)
    got: dict[str, Any] = {}

    def reserve(name: str) -> Record:
        record = log.reserve(name)

        def noted(unit: Unit) -> Any:
            got[unit.name] = unit.inputs
            return record(unit)

        return noted

    before = nodes(plan, "queued", log)
    asyncio.run(carry_out(StoredPlan.of(plan), run_id="run-1", run_attempt=1, reserve=reserve))
    after = nodes(plan, "succeeded", log)

    assert [node.inputs for node in before.values()] == [None] * 4
    assert after["top"].inputs == got["top"] == {"ledger": "x", "label": "of run-1", "value": 1}
    assert after["fan"].inputs == {"items": [got[f"fan[{n}]"] for n in range(MOST_ITEMS)]}
    assert got["fan[11]"] == {"label": "fan-11", "value": 7}
    assert after["last"].inputs == got["last"]
    assert after["never"].inputs is None


def test_inputs_are_there_as_soon_as_a_step_runs_and_if_it_fails() -> None:
    plan, log = plan_of(STEPS), Log({"top": {"error": "No.", "is_final": True}}, seed=0)

    assert nodes(plan, "running", log)["top"].inputs == STEPS["top"]["with"] | {"label": "of run-1"}
    assert nodes(plan, "running", log)["fan"].inputs is None
    log.rows[1] = ("top", log.outcomes["top"])
    assert (nodes(plan, "failed", log)["top"].inputs or {})["value"] == 1
    assert nodes(plan, "failed", log)["fan"].inputs is None


def test_long_inputs_are_cut_and_secrets_are_stars() -> None:
    given = {
        "text": "word " * 1_000,
        "rows": [{"value": number} for number in range(1_000)],
        "api_key": "k-1",
        "max_tokens": 5,
        "source": "see https://me:pw@host/data",
        "options": {"db_password": 'p"w', "tokenizer": "words"},
        "many": [{"secret": "s-1", "row": "x" * 400}],
    }
    plan = plan_of({"one": {"uses": "note", "with": given}})

    shown = nodes(plan, "running", Log({}, seed=0))["one"].inputs or {}

    assert len(shown.pop("text")) <= MOST_TEXT
    assert shown.pop("rows").startswith('[{"value": 0}, {"value": 1}')
    assert shown.pop("many").startswith('[{"secret": "***", "row": "xxx')
    assert shown == {
        "api_key": "***",
        "max_tokens": 5,
        "source": "see https://***@host/data",
        "options": {"db_password": "***", "tokenizer": "words"},
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"password": 1234}, {"password": "***"}),
        ({"options": {"password": 1234}}, {"options": {"password": "***"}}),
        ({"login": [{"token": ["abc"]}]}, {"login": [{"token": "***"}]}),
        ({"accessToken": "abc", "DBPassword": "x"}, {"accessToken": "***", "DBPassword": "***"}),
        ({"headers": {"Authorization": "Bearer x"}}, {"headers": {"Authorization": "***"}}),
        ({"headers": {"X-API-Key": "x"}}, {"headers": {"X-API-Key": "***"}}),
        ({"private_key": {"pem": "x"}}, {"private_key": "***"}),
        ({"to": "postgres://me:p/w@h/db"}, {"to": "postgres://***@h/db"}),
        ({"to": ["postgres://me:p@:w@h/db"]}, {"to": ["postgres://***@h/db"]}),
        (
            {"to": "s3://data/a@b", "at": "http://h:1/a"},
            {"to": "s3://data/a@b", "at": "http://h:1/a"},
        ),
        ({"tokenizer": "words", "token": None}, {"tokenizer": "words", "token": None}),
        ({"author": "ann", "key": "id"}, {"author": "ann", "key": "id"}),
    ],
)
def test_whatever_stands_under_the_name_of_a_secret_is_stars(
    given: dict[str, Any], shown: dict[str, Any]
) -> None:
    plan = plan_of({"one": {"uses": "note", "with": given}})

    assert nodes(plan, "running", Log({}, seed=0))["one"].inputs == shown


def test_a_terminal_shows_them_and_a_run_without_them_stays_readable() -> None:
    steps = steps_of(plan_of(STEPS), "run-1", "running", [])
    old = StepStatus.model_validate(
        {"name": "old", "state": "running", "node": {"uses": "note", "needs": []}}
    )
    assert running._text(run_status(steps=[steps[0], old])).splitlines()[1:] == [
        "  > top                  running",
        "      with ledger x, label of run-1, value 1",
        "  > old                  running",
    ]
