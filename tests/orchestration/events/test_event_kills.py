"""Processes that are killed by SIGKILL lose nothing that was committed, and double no id."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync
from tests.orchestration.events.kettles import LIMIT_S, KettleBoiled, Kitchen, World, durable

from ml_orchestrator.storage.agents import seen_agents

ROOT = Path(__file__).parents[3]


def killed(*arguments: str) -> list[dict[str, Any]]:
    """Run a process that kills itself, and return what it said until then."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.orchestration.events.kettle_process", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_what_was_committed_is_handed_out_although_its_publisher_is_dead(
    world: World, state_url: str, tmp_path: Path
) -> None:
    """And what was not committed is not, with everything else of its transaction."""
    kitchen = Kitchen()
    world.start(durable(kitchen))
    killed("publish", state_url, str(tmp_path), "before", "3")
    killed("publish", state_url, str(tmp_path), "after", "3")
    kitchen.wait_for(3)
    agents = world.database.read(seen_agents)

    assert sorted(kitchen.numbers) == [1, 2, 3]
    assert "killed-after" in agents
    assert "killed-before" not in agents


def test_a_consumer_that_is_killed_in_its_handler_is_followed_by_another(
    world: World, state_url: str, tmp_path: Path
) -> None:
    world.boil(*range(1, 8))
    published = {json.loads(event.payload)["n"]: event.id for event in world.log.after(0)}
    said = killed("consume", state_url, str(tmp_path), "1.0", "3")
    kitchen = Kitchen()
    world.start(durable(kitchen), lease_s=1.0)
    done = {line["done"]: line["id"] for line in said if "done" in line}
    kitchen.wait_for_numbers(3, 4, 5, 6, 7)
    ours = [(envelope.event.n, envelope.id) for envelope in kitchen.seen]  # type: ignore[attr-defined]
    both = Counter(dict(done).items()) + Counter(ours)

    assert 3 not in done
    assert set(both) == set(published.items())  # nothing is lost, and ids are what they were
    assert (3, published[3]) in ours
    assert world.dead.count() == 0


async def test_what_another_process_publishes_is_heard_here(
    world: World, state_url: str, tmp_path: Path
) -> None:
    thread = await run_sync(world.start)
    async with thread.bus.tap(KettleBoiled) as tap:
        await run_sync(lambda: killed("publish", state_url, str(tmp_path), "after", "20"))
        with anyio.fail_after(LIMIT_S):
            heard = [await tap.receive() for _ in range(20)]

    assert [envelope.event.n for envelope in heard] == list(range(1, 21))  # type: ignore[attr-defined]
