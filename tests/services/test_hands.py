"""Threads for short work: what comes back, to whom, and how many there are."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import anyio
import pytest

from ml_orchestrator.services.hands import Hands

LIMIT_S = 30.0
_COLOUR: ContextVar[str] = ContextVar("colour", default="none")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_work_returns_or_raises_where_it_was_asked_for_in_the_context_of_who_asked() -> None:
    hands = Hands()
    _COLOUR.set("blue")

    def stop() -> None:
        raise StopIteration("no more")

    def refuse() -> None:
        raise KeyError("x")

    assert await hands.do(lambda: (_COLOUR.get(), threading.current_thread().name)) == (
        "blue",
        "hand",
    )
    with pytest.raises(KeyError, match="x"):
        await hands.do(refuse)
    with pytest.raises(RuntimeError, match="StopIteration"):  # no coroutine can raise that itself
        await hands.do(stop)


async def test_so_much_is_done_at_once_and_the_rest_waits() -> None:
    hands, may_end = Hands(most=2), threading.Event()
    begun: list[str] = []
    at_work = threading.Semaphore(0)

    def work(name: str) -> Callable[[], None]:
        def act() -> None:
            begun.append(threading.current_thread().name + name)
            at_work.release()
            assert may_end.wait(LIMIT_S)

        return act

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            for name in "abc":
                tasks.start_soon(hands.do, work(name))
            await anyio.wait_all_tasks_blocked()
            for _ in range(2):
                assert await anyio.to_thread.run_sync(at_work.acquire, True, LIMIT_S)
            assert sorted(begun) == ["handa", "handb"]
            may_end.set()
    assert sorted(begun) == ["handa", "handb", "handc"]


async def test_one_thread_serves_who_ask_one_after_the_other() -> None:
    hands = Hands()

    found = [await hands.do(threading.get_ident) for _ in range(5)]

    assert len(set(found)) == 1
    assert found[0] != threading.get_ident()


async def test_whoever_is_cancelled_is_so_when_the_work_has_ended() -> None:
    hands, has_begun, may_end = Hands(), threading.Event(), threading.Event()
    told: list[str] = []

    def work() -> None:
        has_begun.set()
        assert may_end.wait(LIMIT_S)
        told.append("work ended")

    async def ask() -> None:
        try:
            await hands.do(work)
        finally:
            told.append("caller ended")

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.to_thread.run_sync(has_begun.wait, LIMIT_S)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                for _ in range(10):  # it had its turn to end, and did not
                    await anyio.lowlevel.checkpoint()
            assert told == []
            may_end.set()
    assert told == ["work ended", "caller ended"]


async def test_who_is_cancelled_before_asks_for_nothing() -> None:
    hands, done = Hands(), []

    with anyio.CancelScope() as scope:
        scope.cancel()
        await hands.do(lambda: done.append("work"))

    assert scope.cancelled_caught
    assert done == []


async def test_who_is_cancelled_before_a_thread_is_free_goes_at_once_and_nothing_is_done() -> None:
    hands, may_end = Hands(most=1), threading.Event()
    done: list[str] = []

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hands.do, partial(may_end.wait, 2 * LIMIT_S))
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(hands.do, partial(done.append, "given up"))
                await anyio.wait_all_tasks_blocked()
                waiting.cancel_scope.cancel()
            may_end.set()
        await hands.do(partial(done.append, "next"))
    assert done == ["next"]


async def test_work_without_a_thread_is_refused_and_not_done_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = Hands()
    done: list[str] = []

    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", no_more_threads)
        with pytest.raises(RuntimeError, match="new thread"):
            await hands.do(partial(done.append, "refused"))
    await hands.do(partial(done.append, "next"))

    assert done == ["next"]


async def test_where_no_more_threads_can_be_started_those_there_are_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands, may_end = Hands(), threading.Event()
    done: list[str] = []

    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hands.do, partial(may_end.wait, 2 * LIMIT_S))
            await anyio.wait_all_tasks_blocked()
            with monkeypatch.context() as scarce:
                scarce.setattr(threading.Thread, "start", no_more_threads)
                tasks.start_soon(hands.do, partial(done.append, "by the same thread"))
                await anyio.wait_all_tasks_blocked()
            assert done == []
            may_end.set()
    assert done == ["by the same thread"]


def no_more_threads(_: threading.Thread) -> None:
    """Fail as a start does where the process may have no more."""
    raise RuntimeError("can't start new thread")
