"""On Postgres notifications wake who listens; a look now and then is what is left without them."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync
from sqlalchemy import text
from tests.conftest import new_postgres_url
from tests.orchestration.events.kettles import LIMIT_S, KettleBoiled, World
from tests.orchestration.events.test_event_bus import until
from tests.orchestration.workflow_bench import until as wait_for

from ml_orchestrator.orchestration.events import _connect, _glance, _log
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.feed import Pace
from ml_orchestrator.orchestration.events.taps import Tap
from ml_orchestrator.storage.engine import open_database

AN_HOUR_S = 3_600.0


@pytest.fixture
def worlds(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, World]]:
    """Who listens and who publishes, as two processes would, on a channel of their own."""
    channel = f"c{uuid.uuid4().hex}"
    for module in (_glance, _log):
        monkeypatch.setattr(module, "CHANNEL", channel)
    url = new_postgres_url(postgres_server)
    here, there = (World(open_database(url, tmp_path)) for _ in range(2))
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bus look once an hour after one look in vain, unless it is told to."""
    monkeypatch.setattr(_connect, "POSTGRES_PAUSE_S", AN_HOUR_S)
    monkeypatch.setattr(Pace, "GROWTH", 1e9)


def listeners(world: World) -> set[int]:
    query = text("SELECT pid FROM pg_stat_activity WHERE query = :listen")
    given = {"listen": f"LISTEN {_log.CHANNEL}"}
    return set(world.database.read(lambda c: c.execute(query, given).scalars().all()))


def is_asleep(bus: EventBus) -> Callable[[], bool]:
    """Return whether the next look of a bus is far off."""

    def holds() -> bool:
        assert bus._feed is not None
        return bus._feed._pace.wait_s == AN_HOUR_S

    return holds


async def heard(tap: Tap) -> int:
    with anyio.fail_after(LIMIT_S):
        envelope = await tap.receive()
    return envelope.event.n  # type: ignore[attr-defined, no-any-return]


@pytest.mark.usefixtures("rarely")
async def test_a_notification_wakes_who_would_look_in_an_hour(
    worlds: tuple[World, World],
) -> None:
    here, there = worlds
    thread = await run_sync(here.start)
    async with thread.bus.tap(KettleBoiled) as tap:
        for n in range(3):
            await until(lambda: listeners(there) and is_asleep(thread.bus)())
            await run_sync(there.boil, n)
            assert await heard(tap) == n


@pytest.mark.usefixtures("rarely")
async def test_who_lost_the_connection_that_it_listens_on_opens_another(
    worlds: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_glance, "RETRY_S", 0.05)
    here, there = worlds
    thread = await run_sync(here.start)
    async with thread.bus.tap(KettleBoiled) as tap:
        await until(lambda: listeners(there) and is_asleep(thread.bus)())
        (lost,) = listeners(there)
        end = text("SELECT pg_terminate_backend(:pid)")
        there.database.write(lambda c: c.execute(end, {"pid": lost}))
        await run_sync(there.boil, 1)  # maybe while nobody listens: it is looked for afterwards
        assert await heard(tap) == 1
        await until(lambda: listeners(there) - {lost} and is_asleep(thread.bus)())
        await run_sync(there.boil, 2)
        assert await heard(tap) == 2


def test_a_stream_of_notifications_wakes_at_once_and_then_not_for_each(
    worlds: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_glance, "SPACING_S", AN_HOUR_S)
    here, there = worlds
    heard: list[str] = []
    glance = _glance.glance_at(here.database)
    glance.listen(lambda: heard.append("news"))
    try:
        wait_for(lambda: len(heard) == 1, what="it listens")
        notify(there)
        wait_for(lambda: len(heard) == 2, what="the first is heard")
        for _ in range(20):
            notify(there)
        time.sleep(0.3)
        assert len(heard) == 2
    finally:
        glance.close()
    assert "events-listen" not in {thread.name for thread in threading.enumerate()}


def notify(world: World) -> None:
    world.database.write(lambda connection: connection.execute(text(f"NOTIFY {_log.CHANNEL}")))
