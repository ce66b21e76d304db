"""What MLflow, its database and its server raise, as errors of ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from requests import HTTPError, RequestException
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.logins import without_logins

__all__ = ["ODD_ANSWERS", "first_line", "translated"]

# What an answer of another shape than MLflow's own leads to while it is read.
ODD_ANSWERS = (
    ParseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_log = logging.getLogger(__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what MLflow, its database and its server raise into errors of ours.

    Raises:
        NotFoundError: MLflow says that there is no such thing; for nothing else.
        ConflictError: it has that already.
        InvalidInputError: it refused what was asked.
        UnavailableError: it cannot be reached, cannot serve, or gave an answer that is none; or
            a file cannot be read or written on this machine.
    """
    try:
        yield
    except OrchestratorError:
        raise
    except MlflowException as error:
        raise _typed(error) from error
    except SQLAlchemyError as error:
        # The first setting of an alias by two clients at once ends here (3.17).
        raise UnavailableError(
            f"MLflow's database refused ({type(error).__name__}). Nothing was written; try again."
        ) from error
    except (RequestException, ConnectionError, TimeoutError) as error:
        raise _unreached(error) from error
    except OSError as error:
        raise UnavailableError(
            f"A file cannot be read or written here: {first_line(error)}. See that the disk has "
            "room and lets us, then try again."
        ) from error
    except ODD_ANSWERS as error:
        _log.warning("MLflow gave an answer that cannot be read", exc_info=True)
        raise UnavailableError(
            f"MLflow gave an answer that cannot be read ({type(error).__name__}: "
            f"{first_line(error)}). Is a server of MLflow 3 at that address?"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what was raised, without the login of an address in it."""
    text = error.message if isinstance(error, MlflowException) else error
    line = next(iter(str(text).splitlines()), "") or "no reason given"
    return without_logins(line)[:300]


def _typed(error: MlflowException) -> Exception:
    if isinstance(error.__context__, OrchestratorError):  # MLflow wraps what is raised in between
        return error.__context__
    message = first_line(error)
    if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
        return NotFoundError(f"MLflow found nothing: {message}")
    if error.error_code == "RESOURCE_ALREADY_EXISTS":
        return ConflictError(f"MLflow has it already: {message}")
    if error.error_code in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}:
        return InvalidInputError(f"MLflow refused: {message}")
    return UnavailableError(f"MLflow cannot serve now: {message}. Try again in a moment.")


def _unreached(error: Exception) -> OrchestratorError:
    if not isinstance(error, HTTPError):
        return UnavailableError(f"MLflow cannot be reached: {first_line(error)}.")
    if error.response is not None and error.response.status_code == 404:
        return NotFoundError(f"MLflow found nothing: {first_line(error)}.")
    return UnavailableError(f"MLflow cannot serve now: {first_line(error)}. Try again in a moment.")
