"""A process that publishes or handles events of kettles and is killed, as its arguments say.

``publish URL HOME before|after N``: in one transaction an agent is noted and N events are
published; the process kills itself before or after the commit. ``consume URL HOME LEASE_S
KILLED_AT``: events are handled one by one, each is told on standard output when it begins and
when it is done, and the process kills itself in the handler of number KILLED_AT.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Connection
from tests.orchestration.events.kettles import KettleBoiled, Kitchen, World, durable

from ml_orchestrator.orchestration.events.definition import Envelope
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.engine import open_database


def publish(world: World, moment: str, n: int) -> None:
    def work(connection: Connection) -> None:
        note_agent(connection, f"killed-{moment}")
        for number in range(1, n + 1):
            world.outbox.publish(connection, KettleBoiled(kettle="blue", n=number))
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)

    world.database.write(work)
    os.kill(os.getpid(), signal.SIGKILL)


def consume(world: World, lease_s: float, killed_at: int) -> None:
    def handle(envelope: Envelope) -> None:
        number = envelope.event.n  # type: ignore[attr-defined]
        say({"begun": number, "id": envelope.id})
        if number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        say({"done": number, "id": envelope.id})

    world.start(durable(Kitchen(handle), limits=LimitRange(1, 1, 1)), lease_s=lease_s)
    time.sleep(60)


def say(line: dict[str, object]) -> None:
    os.write(1, f"{json.dumps(line)}\n".encode())


if __name__ == "__main__":
    act, url, home, first, second = sys.argv[1:]
    opened = World(open_database(url, Path(home)))
    if act == "publish":
        publish(opened, first, int(second))
    else:
        consume(opened, float(first), int(second))
