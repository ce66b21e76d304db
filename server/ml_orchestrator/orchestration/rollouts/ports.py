"""What a roll-out needs of the rest of the system."""

from dataclasses import dataclass
from typing import Literal, Protocol

from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.models import RolloutState

__all__ = ["AliasPort", "Answer", "ApprovalPort", "TellPort"]


class AliasPort(Protocol):
    """Where an alias points, and moving it by compare-and-set."""

    def verify(self, model: str, version: int) -> str | None:
        """Return what is wrong with a version's files; None if nothing is."""
        ...

    def version(self, model: str, alias: str) -> int | None:
        """Return where the alias points."""
        ...

    def move(self, rollout: Rollout, way: Literal["forward", "back"]) -> None:
        """Move the alias; the same roll-out and way again changes nothing.

        Raises:
            ConflictError: it points elsewhere.
            PermissionDeniedError: a rule of the alias forbids it.
            IntegrityViolationError: the version is not what was registered.
        """
        ...


class TellPort(Protocol):
    """Telling the agents concerned, its starter among them, that a roll-out ended or paused."""

    def tell(self, rollout: Rollout, state: RolloutState) -> None:
        """Send the message; sent again it stays one message."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request for approval, and who answered."""

    state: Literal["pending", "granted", "denied"]
    person: str | None = None


class ApprovalPort(Protocol):
    """Asking a person to approve the switch of a roll-out."""

    def ask(self, rollout: Rollout) -> str:
        """Return the id of the request, made once for each roll-out."""
        ...

    def answer(self, approval_id: str) -> Answer:
        """Return what became of it."""
        ...

    def withdraw(self, rollout: Rollout, ending: RolloutState) -> None:
        """Ask nobody any more, since the roll-out ends; done again, nothing changes."""
        ...
