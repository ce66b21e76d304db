"""Tell agents something, from a pipeline."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.announcing import MailAnnouncer, outbox_of
from ml_orchestrator.orchestration.rollouts.telling import CONCERNED
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["AGENTS", "SENDER", "mailbox_of_pipelines", "send_message"]

SENDER = "pipeline"
AGENTS = (*CONCERNED, "performance-engineer", "data-pipeline-specialist")  # those that ship


def send_message(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Send one message; done twice, it stays one.

    Raises:
        NotFoundError: no such agent; the message lists those that there are.
    """
    database = open_database(context.settings.state_url, context.settings.home)
    try:
        sent = mailbox_of_pipelines(database).send(
            SENDER,
            message_type=params["message_type"],
            content=params["content"],
            target_agents=params["to"],
            priority=params["priority"],
            metadata={"run_id": context.run_id, "actor": context.actor},
            idempotency_key=f"@{context.effect_id}",
        )
    finally:
        database.close()
    return {"message_id": sent.message_id, "recipients": sent.recipients}


def mailbox_of_pipelines(database: Database) -> SqlMailbox:
    """Return the mailbox that runs of pipelines write to; who waits for a message hears of it."""
    return SqlMailbox(database, shipped=AGENTS, news=MailAnnouncer(outbox_of("pipeline")))
