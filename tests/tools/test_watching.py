"""Clients that watch a resource are told when another server has changed it, in both eras."""

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification
from tests.tools.asking import ask
from tests.tools.test_message_tools import ME, YOU, server

from ml_orchestrator.orchestration import reactions
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.tools import watching

INBOX, MEMORY, LEASES = f"inbox://{YOU}", f"memory://{YOU}", "lease://all"
LIMIT_S = 60.0


async def change_all(client: Client) -> None:
    """Change three resources, and one that nobody watches."""
    task = {"task_description": "tuned", "outcome": "success"}
    await ask(client, "message_send", agent=YOU, content="not for you", target_agents=[ME])
    await ask(client, "message_send", agent=ME, content="go", target_agents=[YOU])
    await ask(client, "memory_save", agent=YOU, task=task)
    await ask(client, "lease_set", agent=ME, resource="model:churn", ttl_s=60)


async def test_a_client_that_listens_is_told_of_changes_by_another_server(tmp_path: Path) -> None:
    told: set[str] = set()
    async with Client(server(tmp_path)) as mine, Client(server(tmp_path)) as yours:
        wanted = [INBOX, MEMORY, LEASES, "thread://none", "nonsense://x"]
        with anyio.fail_after(LIMIT_S):
            async with yours.listen(resource_subscriptions=wanted) as changes:
                await change_all(mine)
                async for event in changes:
                    assert isinstance(event, ResourceUpdated)
                    told.add(event.uri)
                    if len(told) == 3:
                        break
        read = await yours.read_resource(INBOX)

    assert told == {INBOX, MEMORY, LEASES}
    assert '"go"' in read.contents[0].text  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")  # the era has nothing else
async def test_a_client_of_the_era_before_is_told_what_it_subscribed_to(tmp_path: Path) -> None:
    send, received = anyio.create_memory_object_stream[str](100)

    async def on_message(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await send.send(str(message.params.uri))

    async with (
        Client(server(tmp_path)) as mine,
        Client(server(tmp_path), mode="legacy", message_handler=on_message) as yours,
    ):
        for address in (INBOX, MEMORY, LEASES):
            await yours.subscribe_resource(address)
        await yours.unsubscribe_resource(LEASES)
        await change_all(mine)
        with anyio.fail_after(LIMIT_S):
            told = {await received.receive(), await received.receive()}
        assert yours.server_capabilities.resources is not None
        assert yours.server_capabilities.resources.subscribe is True
    await send.aclose()
    await received.aclose()

    assert told == {INBOX, MEMORY}


async def test_listening_begins_though_the_bus_opens_late_and_no_change_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_open, open_bus = threading.Event(), reactions.open_bus

    def late(*given: Any, **named: Any) -> Any:
        assert may_open.wait(LIMIT_S)
        return open_bus(*given, **named)

    monkeypatch.setattr(reactions, "open_bus", late)
    async with Client(server(tmp_path)) as mine, Client(server(tmp_path)) as yours:
        with anyio.fail_after(LIMIT_S):
            async with yours.listen(resource_subscriptions=[INBOX]) as changes:
                await change_all(mine)
                may_open.set()
                event = await anext(aiter(changes))
    assert isinstance(event, ResourceUpdated)
    assert event.uri == INBOX


async def test_a_bus_that_has_stopped_is_said_so_and_changes_are_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_bus = reactions.open_bus

    def stopped(*given: Any, **named: Any) -> BusThread:
        thread = open_bus(*given, **named)
        thread.close()
        return thread

    monkeypatch.setattr(reactions, "open_bus", stopped)
    monkeypatch.setattr(watching, "RETRY_S", 0.05)
    async with Client(server(tmp_path)) as mine, Client(server(tmp_path)) as yours:
        with anyio.fail_after(LIMIT_S):
            async with yours.listen(resource_subscriptions=[INBOX]) as changes:
                await change_all(mine)
                event = await anext(aiter(changes))
    assert isinstance(event, ResourceUpdated)
    assert event.uri == INBOX
    assert "Changes are not heard of for now: The event bus has stopped." in caplog.messages


async def test_nothing_is_heard_of_once_nobody_watches_and_again_when_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buses: list[BusThread] = []
    open_bus = reactions.open_bus

    def noted(*given: Any, **named: Any) -> BusThread:
        buses.append(open_bus(*given, **named))
        return buses[-1]

    monkeypatch.setattr(reactions, "open_bus", noted)
    told = []
    async with Client(server(tmp_path)) as client:
        with anyio.fail_after(LIMIT_S):
            for _ in range(2):
                async with client.listen(resource_subscriptions=[INBOX]) as changes:
                    await change_all(client)
                    told.append(await anext(aiter(changes)))
                while buses[0].bus.n_taps:  # it is seen with the next event that nobody watches
                    await change_all(client)
                    await anyio.sleep(0.05)
    assert [event.uri for event in told if isinstance(event, ResourceUpdated)] == [INBOX, INBOX]
