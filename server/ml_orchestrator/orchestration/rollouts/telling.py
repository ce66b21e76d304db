"""The word to the agents concerned when a roll-out has ended, or paused and needs somebody."""

from collections.abc import Mapping
from types import MappingProxyType

from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.messaging.models import Priority
from ml_orchestrator.orchestration.rollouts.describing import needs_of
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.models import RolloutState
from ml_orchestrator.serving.rollout.way_back import sentence, what_is_left

__all__ = ["CONCERNED", "MailTeller"]

CONCERNED = ("infrastructure-specialist", "ml-orchestrator")
SENDER = "roll-out"
_PRIORITIES: Mapping[str, Priority] = MappingProxyType({"promoted": "medium", "paused": "high"})


class MailTeller:
    """Tells by message: urgently what went back, in passing what went well.

    The agent that started the roll-out is told, too; the mailbox must know it.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def tell(self, rollout: Rollout, state: RolloutState) -> None:
        """Send the message; the key makes it one message, however often it is sent."""
        key = f"paused-{rollout.progress.n_pauses}" if state == "paused" else "ended"
        self._mailbox.send(
            SENDER,
            message_type="insight" if state == "promoted" else "warning",
            content=_paused(rollout) if state == "paused" else _ended(rollout, state),
            target_agents=(*CONCERNED, rollout.actor),
            priority=_PRIORITIES.get(state, "urgent"),
            metadata={
                "rollout_id": rollout.id,
                "model": rollout.model,
                "model_alias": f"@{rollout.alias}",
                "state": state,
            },
            idempotency_key=f"@{rollout.id}-{key}",
        )


def _paused(rollout: Rollout) -> str:
    progress = rollout.progress
    return (
        f"{rollout.model}: the roll-out of version {rollout.version} is paused in "
        f"{progress.paused_in} (roll-out {rollout.id}): {sentence(progress.reason)} Needed: "
        f"{needs_of(rollout)}. Without that it goes back after {rollout.spec.pause_limit_s:g} s."
    )


def _ended(rollout: Rollout, ending: RolloutState) -> str:
    name, progress = f"{rollout.model}: version {rollout.version}", rollout.progress
    if ending == "promoted":
        return f"{name} was promoted; it answers and is @{rollout.alias} (roll-out {rollout.id})."
    reason = sentence(progress.reason)
    parts = [f"{name} was {ending.replace('_', ' ')} (roll-out {rollout.id}): {reason}"]
    parts.append(what_is_left(rollout))
    if progress.alias_refusal is not None:
        parts.append(f"@{rollout.alias} could NOT be moved back: {progress.alias_refusal}")
    elif rollout.from_version is None and progress.aliased is None:
        parts.append(f"@{rollout.alias} is unset.")
    return " ".join(parts)
