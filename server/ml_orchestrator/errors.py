"""The errors a caller may catch.

    OrchestratorError
    ├── InvalidInputError          an argument or a data set cannot be used
    │   └── PathNotAllowedError    a path leaves the declared roots
    ├── NotFoundError              a named thing does not exist
    ├── ConflictError              the world moved on since the caller looked
    ├── PermissionDeniedError      this agent may not do this
    │   └── ApprovalRequiredError  a person has to approve it first
    ├── QuotaExceededError         too much of it lately; later it is possible again
    ├── IntegrityViolationError    bytes are not what was registered
    └── UnavailableError           a store, a worker or a disk cannot serve now

A message says what was asked, what was found and what would work. The ``tool`` decorator
hands these, and only these, to the client. The launcher reads this file: Python 3.9 on.
"""

from __future__ import annotations

__all__ = [
    "ApprovalRequiredError",
    "ConflictError",
    "IntegrityViolationError",
    "InvalidInputError",
    "NotFoundError",
    "OrchestratorError",
    "PathNotAllowedError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "UnavailableError",
]


class OrchestratorError(Exception):
    """Base of every error this package raises on purpose."""


class InvalidInputError(OrchestratorError, ValueError):
    """An argument, a file or a data set cannot be used as given."""


class PathNotAllowedError(InvalidInputError):
    """A path lies outside the declared roots."""


class NotFoundError(OrchestratorError, LookupError):
    """A named thing does not exist; the message lists what does."""


class ConflictError(OrchestratorError):
    """What the caller expected is no longer so; look again, then retry."""


class PermissionDeniedError(OrchestratorError):
    """This agent may not do this."""

    @classmethod
    def in_read_only(cls, what: str) -> PermissionDeniedError:
        """Return the refusal of something that changes things, such as a tool."""
        return cls(
            f"{what} changes things and the mode is read-only. A person can set "
            "ML_ORCHESTRATOR_MODE=operator."
        )


class QuotaExceededError(OrchestratorError):
    """Too much was asked for lately; the message says when it is possible again."""


class ApprovalRequiredError(PermissionDeniedError):
    """A person has to approve this plan first; the message names the approval and the command."""

    def __init__(self, message: str, *, approval_id: str | None = None) -> None:
        super().__init__(message)
        self.approval_id = approval_id


class IntegrityViolationError(OrchestratorError):
    """A stored model is not byte for byte what was registered, or is unsafe to load."""


class UnavailableError(OrchestratorError):
    """A store, a worker or the disk cannot serve now; nothing was written."""
