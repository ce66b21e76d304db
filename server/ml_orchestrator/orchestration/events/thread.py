"""A bus in a thread and on an event loop of its own: no handler can hold up another loop."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping

from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.dispatcher import MOST_STUCK
from ml_orchestrator.orchestration.events.figures import LEVELS, page
from ml_orchestrator.telemetry.measures import watch_events

__all__ = ["BusThread"]

CLOSE_S = 5.0
_log = logging.getLogger(__name__)


class BusThread:
    """Runs a bus from ``start`` to ``close``. The thread ends with the process at the latest."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self._is_ready = threading.Event()
        self._error: BaseException | None = None
        self._end_watch: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="event-bus", daemon=True)

    def start(self) -> "BusThread":
        """Begin, and return once nothing that is published from now on is missed.

        Raises:
            UnavailableError: the state database cannot be used.
        """
        self._thread.start()
        self._is_ready.wait()
        if self._error is not None:
            raise self._error
        self._end_watch = watch_events(self.levels)
        return self

    @property
    def is_running(self) -> bool:
        """Whether it works."""
        return self._is_ready.is_set() and self._error is None and self._thread.is_alive()

    def describe(self) -> str:
        """Return how every subscriber is, in a line.

        Raises:
            UnavailableError: the bus has stopped, or handlers that do not end take all places.
        """
        if not self.is_running:
            raise UnavailableError(f"The event bus does not run: {self._error or 'it was closed'}.")
        behind = self.bus.n_behind()
        told = [
            f"{each.name}: {each.n_waiting + behind.get(each.name, 0)} waiting, "
            f"{each.n_active} at work (limit {each.limit}), {each.counts['done']} done, "
            f"{each.counts['failed'] + each.counts['timeout']} failed, "
            f"{sum(each.n_shed.values())} shed"
            for each, _ in self.bus.figures()
        ]
        if stuck := [each.name for each, _ in self.bus.figures() if each.n_stuck >= MOST_STUCK]:
            raise UnavailableError(f"Handlers do not end: {', '.join(stuck)}. {'; '.join(told)}")
        n_missed = sum(self.bus.counted_of_taps.n_shed.values())
        missed = f", {n_missed} left out for them" if n_missed else ""
        told.append(f"{self.bus.n_taps} listening{missed}, {self.bus.n_dead()} dead letters")
        return "; ".join(told)

    def lines(self) -> list[str]:
        """Return what was counted, in Prometheus' format."""
        figures, taps = self.bus.figures(), self.bus.counted_of_taps
        return page(figures, n_behind=self.bus.n_behind(), taps=taps)

    def levels(self, name: str) -> Mapping[str, int]:
        """Return a level of ``EVENT_LEVELS`` by subscriber; empty where it is not known now."""
        if not self.is_running:
            return {}
        if name in LEVELS:
            return {each.name: each.level(name) for each, _ in self.bus.figures()}
        try:
            return self.bus.n_behind()
        except UnavailableError as error:
            _log.warning("How many events wait is not known: %s", error)
            return {}

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Stop; a handler that does not end in time is left alone."""
        self._end_watch()
        self.bus.stop()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.error("The event bus did not end within %.0f s and is left alone", timeout_s)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self.bus.run(ready=self._is_ready.set))
        except BaseException as error:  # noqa: BLE001 told to who waits, or logged
            self._note(error)
        finally:
            self._is_ready.set()
            if not asyncio.all_tasks(loop):  # else a handler goes on, and needs it
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

    def _note(self, error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if not self._is_ready.is_set():
            is_ours = isinstance(error, OrchestratorError)
            self._error = error if is_ours else UnavailableError(f"The event bus failed: {error}")
        else:
            self._error = error
            _log.error("The event bus has stopped", exc_info=error)
