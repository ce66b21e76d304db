"""The word to agents about an alert: that it opened, what came of it, that it is over."""

import hashlib
from collections.abc import Sequence

from ml_orchestrator.health.monitors.alerts import JOINED
from ml_orchestrator.health.monitors.models import Alert
from ml_orchestrator.messaging.models import Priority
from ml_orchestrator.orchestration.monitors.opening import open_mailbox
from ml_orchestrator.storage.engine import Database
from ml_orchestrator.text import cut

__all__ = ["CONCERNED", "AlertTeller"]

SENDER = "monitor"
CONCERNED = ("ml-orchestrator",)  # told even if nobody is named
MAX_SAID = 4_000


class AlertTeller:
    """Sends messages about one alert; a key makes each one message, however often it is sent."""

    def __init__(self, database: Database, alert: Alert, readers: Sequence[str]) -> None:
        self._alert = alert
        self._readers = tuple(dict.fromkeys((*CONCERNED, *readers)))
        self._mailbox = open_mailbox(database, *self._readers)

    def opened(self, watch: str, actions: Sequence[str]) -> str:
        """Tell that the alert opened, and what follows by itself; return who was told."""
        alert = self._alert
        follows = [_WORDS[action] for action in actions if action in _WORDS]
        then = f" By itself follows: {' and '.join(follows)}." if follows else ""
        what = "found" if alert.kind == "finding" else "has nothing to look at"
        return self._send(
            "opened",
            f"Monitor {alert.monitor!r} on {watch} {what}: {alert.summary}{then} Alert "
            f"{alert.alert_id}; health_get shows it.",
            priority="high",
        )

    def joined(self) -> str:
        """Tell what was found besides while the alert was open; return who was told."""
        events = (event.partition(" ")[2] for event in self._alert.events[::-1])
        said = next((e for e in events if e.startswith(JOINED)), self._alert.summary)
        return self.event("joined", f"found more while it is open: {said.removeprefix(JOINED)}")

    def event(self, action: str, said: str, *, priority: Priority = "high") -> str:
        """Tell what came of an action; return who was told."""
        text = f"Monitor {self._alert.monitor!r}, alert {self._alert.alert_id}: {said}"
        return self._send(action, text, priority=priority)

    def resolved(self) -> str:
        """Tell that the episode is over."""
        last = self._alert.events[-1].partition(" ")[2] if self._alert.events else "Resolved."
        text = f"Monitor {self._alert.monitor!r}, alert {self._alert.alert_id} is over. {last}"
        return self._send("resolved", text, priority="medium")

    def _send(self, key: str, content: str, *, priority: Priority) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        self._mailbox.send(
            SENDER,
            message_type="insight" if key == "resolved" else "warning",
            content=cut(content, MAX_SAID),
            target_agents=self._readers,
            priority=priority,
            metadata={
                "alert_id": self._alert.alert_id,
                "monitor": self._alert.monitor,
                "kind": self._alert.kind,
                "event": key,
            },
            idempotency_key=f"@{self._alert.alert_id}-{key}-{digest[:8]}",
        )
        return ", ".join(self._readers)


_WORDS = {"retrain": "a training", "roll_back": "the way back to the version before"}
