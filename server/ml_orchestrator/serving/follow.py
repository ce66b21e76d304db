"""Following an alias: when told, by looking now and then, and never against a roll-out."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
)
from ml_orchestrator.serving.address import find_address
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import ServingControl, ServingState
from ml_orchestrator.serving.rollout.actions import Rollout

__all__ = ["Follower", "tell_server"]

TELL_S = 5.0
SELDOM_S = 300.0  # between looks that fail: a version may take long to load and then not do so
_log = logging.getLogger(__name__)


class Follower:
    """Makes a server answer with the version an alias has moved to.

    It acts on moves of the alias alone, and on none while a roll-out is at work: that one owns
    the pointer, and what it wants of a move of its alias its own rules say. What others moved
    meanwhile is followed afterwards, but no version that the roll-out went back from. A version
    that does not verify is refused once; the one before it keeps answering. So does the one that
    answers when the alias is removed: there is no other to follow.

    Args of the constructor:
        control: The server.
        resolve: Looks up the version the alias points to; None if it is unset.
        seen: The version that it pointed to when the server started.
        newest_rollout: Looks up the newest roll-out of the model, if it ever had one.
    """

    def __init__(
        self,
        control: ServingControl,
        resolve: Callable[[], int | None],
        *,
        seen: int | None,
        newest_rollout: Callable[[], Rollout | None] = lambda: None,
    ) -> None:
        self._control = control
        self._resolve = resolve
        self._seen = seen
        self._newest_rollout = newest_rollout
        self._settled = ""
        self._lock = threading.Lock()

    def look(self) -> ServingState:
        """Look where the alias points now and follow it.

        Raises:
            IntegrityViolationError: the version is not what was registered; said once.
            UnavailableError: the registry or the model cannot be reached; asked again next time.
        """
        with self._lock:
            state = self._control.state()
            rollout = self._newest_rollout()  # first: it moves the alias only while it is at work
            if state.traffic.mode != "single" or (rollout and _owns_the_pointer(rollout)):
                return state
            wanted = self._resolve()
            self._settle(rollout, wanted)
            if wanted == self._seen:
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
        """Look every so many seconds, in a thread of its own; less often while that fails."""
        over = threading.Event()

        def keep_looking() -> None:
            pause_s = every_s
            while not over.wait(pause_s):
                try:
                    self.look()
                    pause_s = every_s
                    continue
                except OrchestratorError as error:
                    _log.warning("The alias was not followed: %s", error)
                except Exception:  # noqa: BLE001 the thread goes on, and says so
                    _log.exception("The alias could not be looked at; tried again")
                pause_s = max(every_s, min(2 * pause_s, SELDOM_S))

        thread = threading.Thread(target=keep_looking, name="follow-alias", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _settle(self, rollout: Rollout | None, wanted: int | None) -> None:
        """Take as seen, once, what a roll-out that went back had to leave on its own version."""
        if rollout is None or rollout.id == self._settled:
            return
        self._settled = rollout.id
        if rollout.progress.alias_refusal is not None and wanted == rollout.version:
            self._seen = wanted

    def _go(self, wanted: int | None, state: ServingState) -> None:
        if wanted is None:
            _log.warning("The alias was removed; version %s keeps answering", state.blue)
            return
        if state.blue == wanted:
            return
        generation = state.generation
        if state.green != wanted:
            generation = self._control.load_green(wanted).generation
        swapped = self._control.swap(expected_generation=generation)
        _log.info("The alias moved: version %s answers", swapped.blue)


def tell_server(home: Path, model: str) -> None:
    """Let the running server of ``model`` look at once where its alias points.

    It is told for the sake of speed alone, and would look by itself: so one that does not run,
    answer or follow is no failure, and one that loads for long is not waited for.
    """
    try:
        if (address := find_address(home, model)) is not None:
            HttpServingControl(address, timeout_s=TELL_S).follow(timeout_s=TELL_S)
    except InvalidInputError as error:  # it follows no alias
        _log.info("The server of %s was told of a move: %s", model, error)
    except (OrchestratorError, OSError, psutil.Error) as error:
        _log.warning("The server of %s did not follow at once: %s", model, error)


def _owns_the_pointer(rollout: Rollout) -> bool:
    return not rollout.is_over and rollout.state != "pending"
