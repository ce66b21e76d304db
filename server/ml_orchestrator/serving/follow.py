"""Following an alias: when told, and by looking now and then."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ml_orchestrator.errors import IntegrityViolationError, NotFoundError, OrchestratorError
from ml_orchestrator.serving.control import ServingControl, ServingState

__all__ = ["Follower"]

_log = logging.getLogger(__name__)


class Follower:
    """Makes a server answer with the version an alias has moved to.

    It acts on moves of the alias alone. A roll-out that makes a version answer before the
    alias points to it is therefore left in peace, and so is traffic that is being shared. A
    version that does not verify is refused once; the one before it keeps answering.

    Args of the constructor:
        control: The server.
        resolve: Looks up the version the alias points to.
        seen: The version that it pointed to when the server started.
    """

    def __init__(self, control: ServingControl, resolve: Callable[[], int], *, seen: int) -> None:
        self._control = control
        self._resolve = resolve
        self._seen = seen
        self._lock = threading.Lock()

    def look(self) -> ServingState:
        """Look where the alias points now and follow it.

        Raises:
            IntegrityViolationError: the version is not what was registered; said once.
            UnavailableError: the registry or the model cannot be reached; asked again next time.
        """
        with self._lock:
            wanted = self._resolve()
            state = self._control.state()
            if wanted == self._seen or state.traffic.mode != "single":
                return state
            try:
                self._go(wanted, state)
            except (IntegrityViolationError, NotFoundError):
                self._seen = wanted
                raise
            self._seen = wanted
            return self._control.state()

    @contextmanager
    def looking(self, every_s: float) -> Iterator[None]:
        """Look every so many seconds, in a thread of its own."""
        over = threading.Event()

        def keep_looking() -> None:
            while not over.wait(every_s):
                try:
                    self.look()
                except OrchestratorError as error:
                    _log.warning("The alias was not followed: %s", error)
                except Exception:  # noqa: BLE001 the thread goes on, and says so
                    _log.exception("The alias could not be looked at; tried again")

        thread = threading.Thread(target=keep_looking, name="follow-alias", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _go(self, wanted: int, state: ServingState) -> None:
        if state.blue == wanted:
            return
        if state.green != wanted:
            self._control.load_green(wanted)
        swapped = self._control.swap(expected_generation=self._control.state().generation)
        _log.info("The alias moved: version %s answers", swapped.blue)
