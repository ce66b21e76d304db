"""The word to the agent whose pipeline could not be done, once its retries are used up."""

import logging

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration.steps.tell import AGENTS, SENDER, mailbox_of_pipelines
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["send_failure", "tell_failure"]

MAX_WHY = 3_500  # characters
_log = logging.getLogger(__name__)


def tell_failure(database: Database, *, run_id: str, pipeline: str, actor: str, why: str) -> bool:
    """Tell the agent that started a run what failed and how it goes on; True if there is one.

    Done twice, it stays one message. A person at a terminal is not told: they see the run.
    """
    key = f"@{run_id}-failed"
    try:
        return send_failure(
            database, run_id=run_id, pipeline=pipeline, actor=actor, why=why, key=key
        )
    except OrchestratorError as error:
        _log.warning("Nobody was told that run %s failed: %s", run_id, error)
        return False


def send_failure(
    database: Database, *, run_id: str, pipeline: str, actor: str, why: str, key: str
) -> bool:
    """Do so under a key that names this failure; True if there is an agent to be told.

    Raises:
        OrchestratorError: the message could not be sent.
    """
    if actor not in AGENTS:
        return False
    text = (
        f"Run {run_id} of pipeline {pipeline!r} failed and is not tried again by itself. "
        f"{cut(why, MAX_WHY)} "
        f"Once that is mended, `ml-orchestrator runs resume {run_id}` goes on where it is not done."
    )
    mailbox_of_pipelines(database).send(
        SENDER,
        message_type="warning",
        content=text,
        target_agents=[actor],
        priority="high",
        metadata={"run_id": run_id, "pipeline": pipeline},
        idempotency_key=key,
    )
    return True
