"""When a delivery that failed is tried again, and when it is given up."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from ml_orchestrator.breaker import doubled
from ml_orchestrator.errors import (
    ConflictError,
    InvalidInputError,
    OrchestratorError,
    QuotaExceededError,
    UnavailableError,
)

__all__ = ["Retrying", "is_final"]

_PASSING = (UnavailableError, QuotaExceededError, ConflictError)


@dataclass(frozen=True, slots=True)
class Retrying:
    """Exponential back-off with full jitter, so that many that failed together do not meet again.

    The jitter is the one that M. Brooker compares in "Exponential Backoff And Jitter" (AWS, 2015).

    Attributes:
        most_attempts: The first one included; 1 is no retry.
        first_s: The longest pause after the first attempt; it doubles with each.
        longest_s: Where doubling ends.
    """

    most_attempts: int = 6
    first_s: float = 0.2
    longest_s: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.most_attempts <= 1_000 or not 0 < self.first_s <= self.longest_s:
            raise InvalidInputError(
                "Retrying needs 1 to 1,000 attempts and 0 < first_s <= longest_s; found "
                f"{self.most_attempts}, {self.first_s:g} and {self.longest_s:g}."
            )

    def pause_s(self, attempt: int, rng: Callable[[], float] = random.random) -> float | None:
        """Return how long to wait after ``attempt`` (from 1) has failed; None: give up."""
        if attempt >= self.most_attempts:
            return None
        return doubled(self.first_s, attempt - 1, self.longest_s) * rng()


def is_final(error: BaseException) -> bool:
    """Whether trying again cannot help: our own refusals, unless they say that they pass."""
    return isinstance(error, OrchestratorError) and not isinstance(error, _PASSING)
