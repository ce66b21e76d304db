"""What a mailbox tells of itself, in the transactions that change it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

__all__ = ["MailNews"]


class MailNews:
    """Whoever wants to know replaces these methods; here they tell nobody."""

    def sent(
        self, connection: Connection, message: Mapping[str, Any], readers: Sequence[str]
    ) -> None:
        """Tell of a message, given by its columns, and who is to read it."""

    def acknowledged(self, connection: Connection, agent: str, threads: Collection[str]) -> None:
        """Tell that an agent has dealt with messages of these threads."""

    def buried(self, connection: Connection, from_agent: str) -> None:
        """Tell that a letter of an agent reached nobody."""
