"""Threads for short work that is asked for often, such as a look into the state database.

anyio's way to a thread and back takes three turns of the event loop and most of a light call;
this one takes one turn.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

__all__ = ["Hands"]

T = TypeVar("T")

MOST = 40  # at the same time, as many as anyio has
IDLE_S = 30.0  # after which a thread ends


class _Ended(NamedTuple):
    """How work ended: with a result, or with an error."""

    result: Any = None
    error: BaseException | None = None


class _Job:
    """Work, and who waits for it; told on the event loop of who asked."""

    __slots__ = ("_ended", "_taking", "_waiting", "context", "loop", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.context = copy_context()
        self.loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] = self.loop.create_future()
        self._ended: _Ended | None = None
        self._taking = threading.Lock()  # never given back

    def take(self) -> bool:
        """Whether nobody was here before: a thread that begins, or whoever gives the work up."""
        return self._taking.acquire(blocking=False)

    async def ended(self) -> _Ended:
        """Wait for the end; whoever is cancelled meanwhile waits for that of begun work alone."""
        try:
            await self._waiting
        except asyncio.CancelledError:
            if self._ended is None and not self.take():
                self._waiting = self.loop.create_future()
                with anyio.CancelScope(shield=True):
                    await self._waiting
            raise
        assert self._ended is not None
        return self._ended

    def tell(self, ended: _Ended) -> None:
        """Note how it ended, and wake who waits."""
        self._ended = ended
        if not self._waiting.done():
            self._waiting.set_result(None)


class Hands:
    """Runs work in threads of its own, started as they are needed. Thread-safe.

    Args of the constructor:
        most: So much at the same time; the rest waits.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._asked: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._n_threads = self._n_due = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises.

        It runs in the context of the caller. Whoever is cancelled before it begins gives it up;
        once begun it is not given up: whoever is cancelled then is so when it has ended.

        Raises:
            RuntimeError: there is no thread for it and none can be started; it is not done.
        """
        await checkpoint_if_cancelled()
        job = _Job(work)
        self._ask(job)
        ended = await job.ended()
        if ended.error is not None:
            raise ended.error
        result: T = ended.result
        return result

    def _ask(self, job: _Job) -> None:
        with self._lock:
            if self._n_threads < min(self._n_due + 1, self._most):
                self._start_thread()
            self._n_due += 1
        self._asked.put(job)

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._serve, name="hand", daemon=True).start()
        except RuntimeError:  # this process may have no more; those there are do the work
            if not self._n_threads:
                raise
        else:
            self._n_threads += 1

    def _serve(self) -> None:
        while True:
            try:
                job = self._asked.get(timeout=IDLE_S)
            except Empty:
                with self._lock:
                    if self._n_due < self._n_threads:
                        self._n_threads -= 1
                        return
                continue
            ended = _run(job) if job.take() else None
            with self._lock:
                self._n_due -= 1
            if ended is not None:
                with suppress(RuntimeError):  # its event loop is closed: nobody waits
                    job.loop.call_soon_threadsafe(job.tell, ended)
            del job, ended  # they may hold much, and the next may be long in coming


def _run(job: _Job) -> _Ended:
    try:
        return _Ended(job.context.run(job.work))
    except BaseException as error:  # noqa: BLE001 raised where somebody waits for it
        return _Ended(error=error)
