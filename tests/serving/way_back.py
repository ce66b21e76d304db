"""How long it takes from a decision to go back until the old version answers.

``python -m tests.serving.way_back [--rounds 100] [--clients 4]`` from the root of the repository:
rolls version 2 of a model out on a real server process, with a real worker process and clients that
ask all the time, and decides in the bake to go back; and so on, ``--rounds`` times. The time is
taken from outside: from the call of ``decide`` to the server's word that version 1 answers alone.
Prints one JSON line. Exit code 0 if the 99th percentile is at most a second, no request failed and
every roll-out ended as rolled back.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from tests.orchestration.workflow_bench import stop_workers
from tests.registry.flowers import ask, make_desk
from tests.serving.load import (
    Tally,
    join,
    judged,
    quantile,
    question,
    register_two,
    start_clients,
)

from ml_orchestrator.app import build_services
from ml_orchestrator.services import RolloutService
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.launch import start_server, stop_server
from ml_orchestrator.serving.rollout.models import RolloutState, RolloutStatus
from ml_orchestrator.settings import Settings

ME, MODEL, OLD, NEW = "ml-orchestrator", "iris", 1, 2
LIMITS = {"failed": 0, "not_rolled_back": 0, "answering_p99_ms": 1_000.0}
STATE_LIMIT_S = 60.0
LOOK_S = 0.002
HEALTH = {"metric": "health", "succeeds_at_most": 0, "min_requests": 0, "initial_delay_s": 0,
          "interval_s": 0.2, "count": 1}  # fmt: skip
SPEC = {"gates": [HEALTH], "bake_s": 3_600}


async def until(rollouts: RolloutService, rollout_id: str, state: RolloutState) -> RolloutStatus:
    """Wait until the roll-out is in ``state`` or over, a bounded time."""
    give_up_at = time.monotonic() + STATE_LIMIT_S
    while (status := await rollouts.status(rollout_id)).state != state and not status.is_over:
        if time.monotonic() > give_up_at:
            raise SystemExit(f"roll-out {rollout_id} did not get to {state}: {status}")
        await anyio.sleep(LOOK_S)
    return status


def until_answering(control: HttpServingControl, version: int) -> None:
    """Wait until ``version`` answers, a bounded time."""
    give_up_at = time.monotonic() + STATE_LIMIT_S
    while control.state().blue != version:
        if time.monotonic() > give_up_at:
            raise SystemExit(f"version {version} does not answer: {control.state()}")
        time.sleep(LOOK_S)


async def go_back_once(
    rollouts: RolloutService, control: HttpServingControl
) -> tuple[float, RolloutStatus]:
    """Return the milliseconds from a decision to the old version answering, and the end."""
    begun = await rollouts.start(
        MODEL, NEW, alias="champion", expected_version=OLD, spec=SPEC, actor=ME, reason="a round"
    )
    assert begun.rollout is not None
    rollout_id = begun.rollout.rollout_id
    await until(rollouts, rollout_id, "baking")
    await anyio.to_thread.run_sync(until_answering, control, NEW)
    decided_at = time.perf_counter()
    await rollouts.decide(rollout_id, "rollback", actor=ME, reason="a round")
    await anyio.to_thread.run_sync(until_answering, control, OLD)
    answering_ms = (time.perf_counter() - decided_at) * 1e3
    return answering_ms, await until(rollouts, rollout_id, "rolled_back")


async def measure(settings: Settings, *, n_rounds: int, n_clients: int) -> dict[str, Any]:
    """Go back ``n_rounds`` times under load and return what was seen."""
    rollouts = build_services(settings).rollouts
    address = start_server(settings, MODEL, version=OLD, alias="champion")
    tally = Tally()
    clients = start_clients(address, question()[0], tally, n_clients=n_clients, n_requests=None)
    control = HttpServingControl(address)
    try:
        rounds = [await go_back_once(rollouts, control) for _ in range(n_rounds)]
    finally:
        for client in clients:
            client.enough.set()
        join(clients, tally)
    taken_ms = [answering_ms for answering_ms, _ in rounds]
    recorded_ms = [ended.rollback_ms or 0.0 for _, ended in rounds]
    return {
        "rounds": n_rounds,
        "not_rolled_back": sum(ended.state != "rolled_back" for _, ended in rounds),
        "requests": tally.n_answered,
        "failed": len(tally.failures) + tally.n_asked - tally.n_answered,
        "failures": tally.failures[:5],
        "answering_p50_ms": round(quantile(taken_ms, 0.5), 1),
        "answering_p99_ms": round(quantile(taken_ms, 0.99), 1),
        "answering_max_ms": round(max(taken_ms), 1),
        "recorded_p50_ms": round(quantile(recorded_ms, 0.5), 1),
        "recorded_p99_ms": round(quantile(recorded_ms, 0.99), 1),
    }


def main() -> int:
    """Run it in a directory of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    folder = Path(tempfile.mkdtemp(prefix="ml-way-back-"))
    settings = Settings.read({}, home=folder / "home", project_dir=folder)
    settings.home.mkdir(mode=0o700)
    try:
        register_two(settings.home)
        make_desk(settings.home).mover.move(ask(OLD, None, alias="champion"))
        seen = anyio.run(
            lambda: measure(settings, n_rounds=options.rounds, n_clients=options.clients)
        )
    finally:
        stop_workers(settings.home)
        stop_server(settings, MODEL)
        shutil.rmtree(folder, ignore_errors=True)
    return judged(seen, LIMITS)


if __name__ == "__main__":
    sys.exit(main())
