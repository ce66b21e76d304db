"""The word to the agent whose run could not be done, once its retries are used up."""

import logging
from typing import Literal

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration.steps.tell import AGENTS, SENDER, mailbox_of_pipelines
from ml_orchestrator.program import program
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["send_failure", "tell_failure"]

MAX_WHY = 3_500  # characters
_SENDERS = {"pipeline": SENDER, "workflow": "workflow"}
_log = logging.getLogger(__name__)


def tell_failure(
    database: Database,
    *,
    run_id: str,
    name: str,
    actor: str,
    why: str,
    kind: Literal["pipeline", "workflow"] = "pipeline",
) -> bool:
    """Tell the agent that started a run what failed and how it goes on; True if there is one.

    Done twice, it stays one message. A person at a terminal is not told: they see the run.
    """
    given = {"run_id": run_id, "name": name, "actor": actor, "why": why}
    try:
        return send_failure(database, **given, kind=kind, key=f"@{run_id}-failed")
    except OrchestratorError as error:
        _log.warning("Nobody was told that run %s failed: %s", run_id, error)
        return False


def send_failure(
    database: Database,
    *,
    run_id: str,
    name: str,
    actor: str,
    why: str,
    key: str,
    kind: Literal["pipeline", "workflow"] = "pipeline",
) -> bool:
    """Do so under a key that names this failure; True if there is an agent to be told.

    Raises:
        OrchestratorError: the message could not be sent.
    """
    if actor not in AGENTS:
        return False
    text = (
        f"Run {run_id} of {kind} {name!r} failed and is not tried again by itself. "
        f"{cut(why, MAX_WHY)} "
        f"Once that is mended, `{program()} runs resume {run_id}` goes on where it is not done."
    )
    mailbox_of_pipelines(database).send(
        _SENDERS[kind],
        message_type="warning",
        content=text,
        target_agents=[actor],
        priority="high",
        metadata={"run_id": run_id, kind: name},
        idempotency_key=key,
    )
    return True
