"""A circuit breaker: what fails again and again is left alone for a while, then tried once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Breaker", "BreakerLook", "BreakerState", "doubled"]

BreakerState = Literal["closed", "open", "half_open"]

LIMIT = 3  # failures in a row
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


def doubled(first_s: float, n_times: int, longest_s: float) -> float:
    """Return a wait that doubles from one failure to the next, in s, up to the longest.

    >>> doubled(0.5, 3, 60.0), doubled(0.5, 10_000, 60.0)
    (4.0, 60.0)
    """
    return float(min(first_s * 2.0 ** min(n_times, 60), longest_s))


@dataclass(frozen=True, slots=True)
class BreakerLook:
    """How a breaker is; ``retry_in_s`` is None while calls are let through."""

    state: BreakerState
    n_failures: int
    last_error: str | None
    retry_in_s: float | None


class Breaker:
    """Lets calls through until so many in a row have failed. Thread-safe.

    Then it is open, and refuses for a time that doubles from one opening to the next, up to a
    minute. After that it is half open: one call is let through. If it succeeds the breaker is
    closed, if it fails it is open again. A call that never says how it ended counts as failed
    once its time is over.

    >>> breaker = Breaker(limit=1, clock=lambda: 0.0)
    >>> breaker.failed("The disk is full.")
    >>> breaker.admits(), breaker.look().retry_in_s
    (False, 1.0)
    """

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._n_failures = 0
        self._n_openings = 0
        self._last_error: str | None = None
        self._retry_at: float | None = None
        self._is_trying = False

    @property
    def is_closed(self) -> bool:
        """Whether all calls go through."""
        return self._retry_at is None

    @property
    def n_failures(self) -> int:
        """Failures in a row."""
        return self._n_failures

    def admits(self) -> bool:
        """Whether a call may go through now; who is told so says how it ended."""
        with self._lock:
            if self._retry_at is None:
                return True
            if self._clock() < self._retry_at:
                return False
            self._is_trying = True
            self._retry_at = self._clock() + self._wait_s()
            return True

    def succeeded(self) -> None:
        """Note that a call went well; everything before is forgotten."""
        with self._lock:
            self._forget()

    def failed(self, reason: str) -> None:
        """Note that a call failed, and why."""
        with self._lock:
            self._n_failures += 1
            self._last_error = reason
            if self._is_trying or self._n_failures == self._limit:
                self._is_trying = False
                self._n_openings += 1
                self._retry_at = self._clock() + self._wait_s()

    def reset(self) -> None:
        """Close it, as if nothing had happened: somebody says that the cause is mended."""
        self.succeeded()

    def look(self) -> BreakerLook:
        """Return how it is, changing nothing."""
        with self._lock:
            left_s = None if self._retry_at is None else max(0.0, self._retry_at - self._clock())
            state: BreakerState = "closed"
            if left_s is not None:
                state = "half_open" if self._is_trying or left_s == 0 else "open"
            return BreakerLook(state, self._n_failures, self._last_error, left_s)

    def _wait_s(self) -> float:
        return doubled(self._first_wait_s, max(0, self._n_openings - 1), self._longest_wait_s)
