"""What a caller asks for when an alias shall move."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.registry.names import check_alias, check_model, check_version

__all__ = ["MoveRequest"]

MAX_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """What a caller asks for.

    Attributes:
        version: A version, "previous" for a rollback, or None to remove the alias.
        expected_version: Where the caller believes the alias points; None means unset.
        plan_digest: Digest of the dry run that was looked at; None if there was none.
        idempotency_key: A key that makes a retry return the first move.
        is_way_back: Whether a roll-out takes back what it did itself; no tool can say so.
        is_override: Whether a person lets rules go that do not hold; no tool can say so either.
    """

    model: str
    alias: str
    version: int | Literal["previous"] | None
    expected_version: int | None
    actor: str
    reason: str
    evidence: str | None = None
    plan_digest: str | None = None
    idempotency_key: str | None = None
    is_way_back: bool = False
    is_override: bool = False

    def __post_init__(self) -> None:
        check_model(self.model)
        check_alias(self.alias)
        if isinstance(self.version, int):
            check_version(self.version)
        elif self.version not in {None, "previous"}:
            raise InvalidInputError(
                f"version is a number, 'previous' or null, not {self.version!r}."
            )
        for name in ("actor", "reason", "evidence", "idempotency_key"):
            _check_text(name, getattr(self, name))

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked; equal for a retry."""
        asked = [self.model, self.alias, self.version, self.expected_version, self.actor]
        asked += [self.reason, self.evidence, *(["override"] if self.is_override else [])]
        text = json.dumps(asked, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _check_text(name: str, text: str | None) -> None:
    limits = {"actor": 64, "idempotency_key": 128}
    limit = limits.get(name, MAX_TEXT)
    if text is not None and (len(text) > limit or "\0" in text):
        raise InvalidInputError(f"{name} has {len(text)} characters; at most {limit}, without NUL.")
