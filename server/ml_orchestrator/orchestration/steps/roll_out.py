"""Carry a roll-out out, from wherever an earlier worker left it."""

import time
from collections.abc import Mapping
from typing import Any

from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.announcing import MailAnnouncer, outbox_of
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.rollouts.aliases import RegistryAliases
from ml_orchestrator.orchestration.rollouts.approving import RolloutApprovals
from ml_orchestrator.orchestration.rollouts.opening import open_journal, open_outcomes, reach_server
from ml_orchestrator.orchestration.rollouts.runner import RolloutRunner
from ml_orchestrator.orchestration.rollouts.telling import CONCERNED, MailTeller
from ml_orchestrator.orchestration.rollouts.watching import Watch
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.serving.follow import tell_server
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["roll_out"]


def roll_out(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how it ended; everything on the way is in the roll-out's own record.

    Before and after it the server follows its alias, for others may have moved that.
    """
    home, rollout_id = context.settings.home, params["rollout_id"]
    database = open_database(context.settings.state_url, home)
    try:
        rollout = open_journal(database).get(rollout_id)
        tell_server(home, rollout.model)
        ended = _runner(context, database, starter=rollout.actor).run(rollout_id)
        tell_server(home, rollout.model)
    finally:
        database.close()
    return {"rollout_id": ended.id, "state": ended.state, "reason": ended.progress.reason}


def _runner(context: StepContext, database: Database, *, starter: str) -> RolloutRunner:
    settings = context.settings
    desk = open_registry(settings, database)
    return RolloutRunner(
        open_journal(database),
        Watch(open_outcomes(database), now=time.time),
        open_serving=lambda rollout: reach_server(settings, rollout),
        aliases=RegistryAliases(desk),
        teller=MailTeller(_mailbox(database, starter)),
        approvals=RolloutApprovals(desk),
        now=time.time,
        wait=time.sleep,
        report=lambda rollout: _report(context, rollout),
    )


def _mailbox(database: Database, starter: str) -> SqlMailbox:
    news = MailAnnouncer(outbox_of("roll-out"))
    return SqlMailbox(database, shipped=(*CONCERNED, starter), news=news)


def _report(context: StepContext, rollout: Rollout) -> None:
    context.report(rollout.progress.phase / len(rollout.phases), rollout.state)
