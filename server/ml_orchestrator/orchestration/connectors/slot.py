"""The place of a part: built on first use, swapped for a new one when that is asked for."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.doors import Door
from ml_orchestrator.errors import OrchestratorError, UnavailableError
from ml_orchestrator.memory_use import grown_mb, resident_mb
from ml_orchestrator.orchestration.connectors.contract import Connector, Cost
from ml_orchestrator.orchestration.connectors.plan import Plan
from ml_orchestrator.settings import Settings
from ml_orchestrator.uses import is_in_use, note_use

__all__ = ["Slot"]

T = TypeVar("T")
NOBODY_ELSE = 2  # references to a part that only we hold: our name for it, and the count's
_log = logging.getLogger(__name__)


class Slot(Generic[T]):
    """Hands out a part, as a door does, and the new one after a change of its configuration.

    Calls that run keep the part that they were given; it is closed when the last of them has
    let go of it. A new part that cannot be built leaves the old one in place. Building that
    fails again and again is refused at once for a while, and then tried again; so is use, where
    calls are counted (see `counted_use`). Thread-safe.

    Args of the constructor:
        needs: the slots that ``build`` reads from; when one of them is renewed, so is this.
    """

    def __init__(
        self,
        connector: Connector[T],
        settings: Settings,
        plan: Plan,
        *,
        needs: Mapping[str, "Slot[Any]"] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connector = connector
        self.breaker = Breaker(clock=clock)
        self.cost: Cost | None = None
        self.fault: str | None = None
        self._settings = settings
        self._plan = plan
        self._needs = dict(needs or {})
        self._renewing = threading.RLock()
        self._generations = self._wanted()
        self._door = self._new_door()
        self._retired: list[T] = []

    def __call__(self) -> T:
        """Return the part, building it first if nobody has.

        Raises:
            UnavailableError: building or using it has failed again and again; the message says
                when it is tried next.
        """
        if self._wanted() != self._generations:
            self._renew()
        door = self._door
        if not door.is_open:
            part = self._open(door)
        else:
            part = door()
            if not (self.breaker.is_closed or is_in_use(part) or self.breaker.admits()):
                raise self.refusal()
        note_use(part, self.breaker)
        return part

    def for_a_probe(self) -> T:
        """Return the part for who counts by itself how that ends; it is built if nobody has.

        Raises:
            UnavailableError: building it has failed again and again.
        """
        return self._door() if self.is_open and self._wanted() == self._generations else self()

    @property
    def is_open(self) -> bool:
        """Whether the part has been built."""
        return self._door.is_open

    @property
    def generation(self) -> int:
        """How often a change or a reload of this very part has been asked for."""
        return self._plan.entry(self.connector.name).generation

    @property
    def values(self) -> dict[str, Any]:
        """The settings that it takes, as they are for it now; JSON values."""
        shown = self._settings.model_dump(mode="json", include=set(self.connector.takes))
        return {**shown, **self._plan.entry(self.connector.name).values}

    def refusal(self) -> UnavailableError:
        """Return the error for who asks while building is refused."""
        look = self.breaker.look()
        return UnavailableError(
            f"Component {self.connector.name!r} has failed {look.n_failures} times in a row and "
            f"is tried again in {look.retry_in_s or 0:.0f} s. The last time: {look.last_error}"
        )

    def close(self) -> None:
        """Close the part, and those that were replaced."""
        if self._door.is_open:
            self.connector.close(self._door())
        for part in self._retired:
            self.connector.close(part)
        self._retired.clear()

    def tidy(self) -> None:
        """Close what was replaced and nobody uses any more."""
        with self._renewing:
            retired, self._retired = self._retired, []
            while retired:
                part = retired.pop()
                if sys.getrefcount(part) <= NOBODY_ELSE:
                    self.connector.close(part)
                else:
                    self._retired.append(part)

    def _wanted(self) -> tuple[int, ...]:
        of_needs = tuple(n for each in self._needs.values() for n in each._wanted())
        return (self._plan.entry(self.connector.name).generation, *of_needs)

    def _new_door(self) -> Door[T]:
        return Door(partial(self._build, self._settings), is_light=self.connector.is_light)

    def _build(self, settings: Settings) -> T:
        values = self._plan.entry(self.connector.name).values
        given = {n: v for n, v in values.items() if n in self.connector.takes and v is not None}
        return self.connector.build(settings.with_values(given) if given else settings)

    def _open(self, door: Door[T]) -> T:
        if not self.breaker.admits():
            raise self.refusal()
        began_at, before_mb = time.perf_counter(), resident_mb()
        try:
            part = door()
        except Exception as error:
            self.breaker.failed(_in_words(error))
            raise
        self.breaker.succeeded()
        took_ms = (time.perf_counter() - began_at) * 1e3
        self.cost = self.cost or Cost(took_ms, grown_mb(before_mb))
        return part

    def _renew(self) -> None:
        with self._renewing:
            wanted = self._wanted()
            if wanted == self._generations:
                return
            self._generations = wanted
            self.breaker.reset()
            fresh, old = self._new_door(), self._door
            if old.is_open:
                try:
                    fresh()
                except Exception as error:  # noqa: BLE001 the part from before goes on
                    self.fault = f"It could not be built anew: {_in_words(error)}"
                    _log.warning("Component %s", self.connector.name, exc_info=True)
                    return
                self._retired.append(old())
            self.fault, self._door = None, fresh
            _log.info("Component %s was built anew", self.connector.name)
        del old
        self.tidy()


def _in_words(error: Exception) -> str:
    if isinstance(error, OrchestratorError):
        return str(error)
    return f"{type(error).__name__}; the log has the traceback"
