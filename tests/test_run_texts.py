"""What a terminal shows of one run."""

import doctest

from tests.run_statuses import run_status

from ml_orchestrator import deploying_text, running
from ml_orchestrator.orchestration.models import NodeStatus, RunProgress, RunStatus, StepStatus

AT = "2026-11-27T10:00:00Z"
WAITS = "waits for a person: ml-orchestrator approve appr-1"


def waiting(said: str | None, latest: str) -> RunStatus:
    """Return a pipeline that waits in its one step, which said this and reported that."""
    node = NodeStatus(uses="approval", needs=[], doing=said)
    return run_status(
        steps=[StepStatus(name="ask", state="running", node=node)],
        progress=RunProgress(step="ask", fraction=0.0, message=latest, updated_at=AT),
    )


def test_what_a_step_waits_for_is_said_once() -> None:
    lines = running._text(waiting(WAITS, WAITS)).splitlines()

    assert [line for line in lines if WAITS in line] == [lines[-1]]
    assert len(lines) == 3


def test_what_a_step_said_before_its_latest_report_is_shown_too() -> None:
    lines = running._text(waiting("item 1 is done", WAITS)).splitlines()

    assert lines[2].strip() == "item 1 is done"
    assert lines[3].endswith(WAITS)


def test_sentences_of_a_result_say_what_is_typed_and_names_stay_as_they_are() -> None:
    result = {
        "summary": {
            "features": ["plan_digest", "expected_version"],
            "importances": [{"feature": "idempotency_key", "loss": 0.5}],
            "warnings": [
                '\'plan_digest\' may leak. Leave it out by column_types {"a b": "ignore"}.'
            ],
        },
        "reason": "It waits; abort it by deployment_decide.",
        "where": "reports/model_predict.csv",
        "done": ["Kept runs/plan_digest.json and model_predict.csv for my-plan_digest."],
    }
    status = run_status(workflow="train", state="succeeded", result=result)

    assert running._text(status).splitlines()[2:] == [
        "    summary",
        "      features  plan_digest, expected_version",
        "      importances",
        "        feature          loss",
        "        idempotency_key  0.5",
        "      warnings  'plan_digest' may leak. Leave it out by train --ignore 'a b'.",
        "    reason  It waits; abort it by ml-orchestrator deploy decide.",
        "    where   reports/model_predict.csv",
        "    done    Kept runs/plan_digest.json and model_predict.csv for my-plan_digest.",
    ]


def test_the_examples_hold() -> None:
    ran = doctest.testmod(deploying_text)
    assert (ran.failed, ran.attempted > 0) == (0, True)


def test_a_step_that_was_answered_from_the_cache_and_what_a_run_waits_for_are_said() -> None:
    node = NodeStatus(uses="profile", needs=[], cached_from="run-1")
    waits = "The run waits for the worker of an earlier release to leave."
    step = StepStatus(name="look", state="succeeded", node=node)
    status = run_status(run_id="run-2", state="queued", steps=[step], notices=(waits,))
    lines = [line.strip() for line in running._text(status).splitlines()]

    assert waits in lines
    assert "answered from the cache, with what run-1 gave" in lines
