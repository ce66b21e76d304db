"""One loaded version of a model: its requests in flight, what it answered, and its chances."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from random import Random

from ml_orchestrator.serving.chances import NONE_TOLD, Chances, read_chances
from ml_orchestrator.serving.control import SlotStats
from ml_orchestrator.serving.engine import Engine, Outcome, Request
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.window import Window

__all__ = ["AskChances", "Opened", "Slot"]

AskChances = Callable[[Request], Chances | None]

CHANCES_S = 5.0  # that a version may take for the chances of one request
ASK_AGAIN_S = 60.0  # after one that took longer
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A version ready to answer, and how long that took."""

    engine: Engine
    load_ms: float
    warm_ms: float
    example: bytes = b""  # a body in JSON that it answers
    columns: tuple[Column, ...] = ()  # what it takes


class Slot:
    """One loaded version, its requests in flight and what it answered. Thread-safe."""

    def __init__(self, version: int, opened: Opened, rng: Random) -> None:
        self.version = version
        self.opened = opened
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._window = Window(rng)
        self._in_flight = 0
        self._is_closed = False
        self._tells_chances = True
        self._late: Future[Outcome] | None = None  # the last that took too long
        self._ask_again_at = 0.0
        self.n_late = 0  # times that chances took too long

    @property
    def in_flight(self) -> int:
        """How many requests it has taken and not answered."""
        return self._in_flight

    def submit(self, request: Request, done: Callable[["Slot", Outcome, float], None]) -> bool:
        """Take a request, unless the slot has been let go: then return False."""
        with self._lock:
            if self._is_closed:
                return False
            self._in_flight += 1
        began = time.monotonic()

        def answered(outcome: Outcome) -> None:
            took_s = time.monotonic() - began
            self._count(outcome, took_s)
            done(self, outcome, took_s)

        self.opened.engine.submit(request, answered)
        return True

    def chances(self, request: Request) -> Chances | None:
        """Return the chances of the classes of a request, waiting for its turn.

        None if the slot has been let go or the version tells none; one that takes more than 5 s is
        asked again once it has answered and a minute has passed. Requests and answers that are
        counted do not include these.
        """
        with self._lock:
            if self._is_closed or not self._tells_chances or self._is_late():
                return None
            self._in_flight += 1
        told: Future[Outcome] = Future()

        def done(outcome: Outcome) -> None:
            self._leave()
            told.set_result(outcome)

        self.opened.engine.submit(replace(request, asks="chances"), done)
        try:
            outcome = told.result(timeout=CHANCES_S)
        except TimeoutError:
            _log.warning(
                "Version %d takes over %.0f s for chances; it is asked again after %.0f s",
                self.version, CHANCES_S, ASK_AGAIN_S,
            )  # fmt: skip
            self._late, self._ask_again_at = told, time.monotonic() + ASK_AGAIN_S
            self.n_late += 1
            return None
        self._tells_chances = outcome.status != NONE_TOLD
        return read_chances(outcome)

    def stats(self, window_s: float) -> SlotStats:
        """Return what it answered in the last ``window_s`` seconds, and whether it can now."""
        with self._lock:
            seen = self._window.stats(self.version, now_s=time.monotonic(), window_s=window_s)
        return seen.model_copy(update={"fault": self.opened.engine.fault()})

    def close(self, *, wait_s: float) -> None:
        """Take no more requests, wait for those in flight, then let the model go."""
        with self._lock:
            self._is_closed = True
            if not self._idle.wait_for(lambda: self._in_flight == 0, wait_s):
                _log.warning(
                    "Version %d still has %d requests after %.0f s; it is let go",
                    self.version, self._in_flight, wait_s,
                )  # fmt: skip
        self.opened.engine.close()

    def _count(self, outcome: Outcome, took_s: float) -> None:
        with self._lock:
            self._window.add(
                time.monotonic(),
                latency_ms=took_s * 1e3,
                is_error=outcome.is_error,
                predictions=outcome.predictions,
            )
        self._leave()

    def _is_late(self) -> bool:
        """Whether chances took too long a moment ago, or are not told yet."""
        is_open = self._late is not None and not self._late.done()
        return is_open or time.monotonic() < self._ask_again_at

    def _leave(self) -> None:
        with self._lock:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.notify_all()
