"""Errors as MLflow's scoring server writes them: ``{"error_code": …, "message": …}``."""

import json

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    PermissionDeniedError,
    UnavailableError,
)
from ml_orchestrator.serving.engine import Outcome

__all__ = ["ERRORS", "failure", "refusal", "status_of"]

MAX_MESSAGE = 2_000
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    413: "REQUEST_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "DATA_LOSS",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_STATUSES: dict[type[OrchestratorError], int] = {
    InvalidInputError: 400,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    IntegrityViolationError: 422,
    UnavailableError: 503,
}
ERRORS = {status: kind for kind, status in _STATUSES.items()}


def status_of(error: OrchestratorError) -> int:
    """Return the HTTP status of an expected error."""
    return next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)


def refusal(status: int, message: str) -> Outcome:
    """Return the answer of this status with a message of bounded length."""
    content = {"error_code": _CODES[status], "message": message[:MAX_MESSAGE]}
    return Outcome(status=status, body=json.dumps(content).encode())


def failure(error: OrchestratorError) -> Outcome:
    """Return the answer for an expected error."""
    return refusal(status_of(error), str(error))
