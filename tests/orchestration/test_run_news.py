"""What the agent that started a built-in run hears of its end."""

from contextlib import closing
from pathlib import Path

from tests.orchestration.workflow_bench import Bench, is_gone

from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.steps.tell import AGENTS
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.storage.engine import open_database

AGENT = "performance-engineer"


def start(bench: Bench, run_id: str, workflow: str, *, actor: str, **given: object) -> None:
    params = validated(WORKFLOWS[workflow], {"ledger": str(bench.ledger), **given})
    bench.client.start(run_id, WORKFLOWS[workflow], params, actor=actor)


def test_the_agent_is_told_once_of_what_failed_and_not_of_what_was_cancelled(
    bench: Bench, tmp_path: Path
) -> None:
    start(bench, "run-cancelled", "tiny", actor=AGENT, gate=str(tmp_path / "gate"))
    at_gate = bench.entry("gate")
    bench.client.cancel("run-cancelled")
    start(bench, "run-agents", "tiny-stops", actor=AGENT, number=3)
    start(bench, "run-persons", "tiny-stops", actor="ann", number=3)
    for run_id in ("run-agents", "run-persons"):
        bench.finished(run_id)
    assert is_gone(at_gate["pid"])
    failed = bench.client.status("run-agents")
    again = bench.client.resume("run-agents")
    bench.finished(again.run_id)
    with closing(open_database(bench.settings.state_url, bench.settings.home)) as database:
        messages = SqlMailbox(database, shipped=AGENTS).inbox(AGENT).messages

    assert [m.metadata["run_id"] for m in messages] == ["run-agents", "run-agents.2"]
    assert str(failed.error) in messages[0].content
    assert "`ml-orchestrator runs resume run-agents`" in messages[0].content
