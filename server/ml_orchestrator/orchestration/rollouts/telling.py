"""The word to the agents concerned when a roll-out has ended."""

from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.serving.rollout.actions import Rollout

__all__ = ["CONCERNED", "MailTeller"]

CONCERNED = ("infrastructure-specialist", "ml-orchestrator")
SENDER = "roll-out"


class MailTeller:
    """Tells by message: urgently what went back, in passing what went well."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def tell(self, rollout: Rollout, ending: str) -> None:
        """Send the message; the key makes it one message, however often it is sent."""
        is_well = ending == "promoted"
        self._mailbox.send(
            SENDER,
            message_type="insight" if is_well else "warning",
            content=_content(rollout, ending),
            target_agents=CONCERNED,
            priority="medium" if is_well else "urgent",
            metadata={
                "rollout_id": rollout.id,
                "model": rollout.model,
                "model_alias": f"@{rollout.alias}",
                "state": ending,
            },
            idempotency_key=f"@{rollout.id}-ended",
        )


def _content(rollout: Rollout, ending: str) -> str:
    name, progress = f"{rollout.model}: version {rollout.version}", rollout.progress
    if ending == "promoted":
        return f"{name} was promoted; it answers and is @{rollout.alias} (roll-out {rollout.id})."
    parts = [f"{name} was {ending.replace('_', ' ')} (roll-out {rollout.id}): {progress.reason}"]
    parts.append(_what_answers(rollout))
    if progress.alias_refusal is not None:
        parts.append(f"@{rollout.alias} could NOT be moved back: {progress.alias_refusal}")
    return " ".join(parts)


def _what_answers(rollout: Rollout) -> str:
    progress, old = rollout.progress, rollout.from_version
    if progress.pointer_refusal is not None:
        return f"The old version could NOT be brought back: {progress.pointer_refusal}"
    if old is None:
        return "There was no version before it."
    return f"Version {old} answers."
