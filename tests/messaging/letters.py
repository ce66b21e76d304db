"""What tests of messages share: the agents, a clock that they set, and sending."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ml_orchestrator.messaging._sql import SqlMailbox

__all__ = ["ME", "THIRD", "YOU", "Clock", "send"]

ME, YOU, THIRD = "ml-orchestrator", "performance-engineer", "infrastructure-specialist"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


def send(box: SqlMailbox, *to: str, sender: str = ME, **given: Any) -> str:
    values = {"message_type": "insight", "content": "x", "target_agents": to, **given}
    return box.send(sender, **values).message_id
