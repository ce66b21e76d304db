"""Hearing of what was published, by any process: looking, more often while there is news."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from anyio.to_thread import run_sync

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.events.definition import StoredEvent

__all__ = ["Feed", "Glance", "LogPort", "Pace", "to_its_end"]

BATCH = 500
RETRY_S = 1.0
END_S = 2.0  # for a read that is under way when it is not wanted any more
T = TypeVar("T")
_log = logging.getLogger(__name__)


class LogPort(Protocol):
    """The log of events; ``_log.EventLog`` is one. Methods may block."""

    def newest(self) -> int:
        """Return the number of the newest event."""
        ...

    def after(self, seq: int, *, limit: int = 500) -> tuple[StoredEvent, ...]:
        """Return the first events after a number."""
        ...


class Glance(Protocol):
    """A look, or an ear, that says whether reading the log is worth it."""

    def has_changed(self) -> bool:
        """Say whether anything may have been written since the last call; microseconds."""
        ...

    def listen(self, heard: Callable[[], None]) -> None:
        """Call ``heard``, from any thread, when something is published; may do nothing."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Pace:
    """How long to wait before the next look: short after news, longer with each look in vain.

    What nobody here waits for is no news: in a row of saves the looks would take time of each.

    Args of the constructor:
        least_s: After news that somebody waits for.
        most_s: Where lengthening ends.
        attentive_s: Where it ends while ``is_attentive`` says that somebody waits for news.
    """

    GROWTH = 1.6

    def __init__(
        self,
        least_s: float = 0.002,
        most_s: float = 0.25,
        *,
        attentive_s: float = 0.05,
        is_attentive: Callable[[], bool] = lambda: False,
    ) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._attentive_s = min(attentive_s, most_s)
        self._is_attentive = is_attentive
        self.wait_s = most_s

    def after(self, *, found: bool) -> None:
        """Take in a look."""
        most_s = self._attentive_s if self._is_attentive() else self._most_s
        longer_s = min(self.wait_s * self.GROWTH, most_s)
        self.wait_s = self._least_s if found else longer_s

    def hurry(self) -> None:
        """Look soon: something is about to be committed."""
        self.wait_s = self._least_s


class Feed:
    """Reads the log from its end on, and hands on what comes.

    Args of the constructor:
        heard: Told what was read, in order, and says whether anybody here waits for any of it; it
            must not block.
    """

    def __init__(
        self,
        log: LogPort,
        glance: Glance,
        *,
        heard: Callable[[Sequence[StoredEvent]], bool],
        pace: Pace | None = None,
    ) -> None:
        self._log = log
        self._glance = glance
        self._heard = heard
        self._pace = pace or Pace()
        self._poked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._cursor = 0

    def poke(self) -> None:
        """Look soon; from any thread."""
        self._loop.call_soon_threadsafe(self._hurry)

    async def begin(self) -> None:
        """Note where the log ends; what is published from then on is heard."""
        self._glance.has_changed()
        self._cursor = await to_its_end(self._log.newest)
        self._glance.listen(self.poke)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._sleep()
            try:
                found = self._glance.has_changed() and await self._read()
            except UnavailableError as error:
                _log.warning("Events cannot be read now: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            self._pace.after(found=found)

    async def _read(self) -> bool:
        """Hand on everything that is new, and say whether somebody waits for any of it."""
        found = False
        while events := await to_its_end(lambda: self._log.after(self._cursor, limit=BATCH)):
            self._cursor = events[-1].seq
            found |= self._heard(events)
            if len(events) < BATCH:
                break
        return found

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(self._pace.wait_s):
                await self._poked.wait()
        except TimeoutError:
            return
        self._poked.clear()

    def _hurry(self) -> None:
        self._pace.hurry()
        self._poked.set()


async def to_its_end(read: Callable[[], T]) -> T:
    """Use a database in a thread; who is cancelled meanwhile waits up to ``END_S`` for its end.

    Else the connection would come back to a database that has been closed, and stay open.
    """
    reading = asyncio.ensure_future(run_sync(read))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait([reading], timeout=END_S)
        for each in done:
            each.exception()  # nobody asks for it any more
        raise
