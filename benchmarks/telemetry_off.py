"""What telemetry costs while it is off: what it adds to a tool call, beside the call.

In one process, without a provider: processor time of everything that a call passes (the span of
the service, the count of the call, the trace that is handed on to a queue), and of the whole call
of ``memory_load`` with all that. Processor time, so that other work on the machine does not count.

    .venv/bin/python benchmarks/telemetry_off.py [--quick] [--json]
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from _figures import Figure, arguments, show
from mcp import Client

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.context import carrier
from ml_orchestrator.telemetry.measures import count_calls
from ml_orchestrator.telemetry.spans import is_tracing, traced

ATTRIBUTES = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "memory_load"}
MOST_OF_A_CALL = 0.02
AT_ONCE = 1_000
Act = Callable[[], Awaitable[object]]


class Bare:
    """A service without spans."""

    async def answer(self) -> None:
        """Do nothing."""


@traced
class Traced:
    """The same, with spans."""

    async def answer(self) -> None:
        """Do nothing."""


async def told() -> None:
    """Do all that a call does for telemetry."""
    await TRACED.answer()
    count_calls(0.001, ATTRIBUTES)
    carrier()


BARE, TRACED = Bare(), Traced()


async def taken_us(act: Act, n: int) -> float:
    """Return the processor time of one of ``n`` acts in a row, in microseconds."""
    began_at = time.process_time()
    for _ in range(n):
        await act()
    return (time.process_time() - began_at) / n * 1e6


async def measure(n_rounds: int) -> tuple[float, float]:
    """Return medians over rounds: of telemetry alone, and of a whole call."""
    off, calls = [], []
    with tempfile.TemporaryDirectory() as folder:
        server = build_server(Settings.read({}, project_dir=Path(folder)))
        async with Client(server) as client:

            async def call() -> None:
                done = await client.call_tool("memory_load", {"agent": "ml-orchestrator"})
                assert not done.is_error, done

            await taken_us(call, 50)
            assert not is_tracing()
            for _ in range(n_rounds):
                off.append(await taken_us(told, AT_ONCE) - await taken_us(BARE.answer, AT_ONCE))
                calls.append(await taken_us(call, 20))
    return median(off), median(calls)


def main() -> None:
    """Print both, and their ratio beside its goal."""
    options = arguments(__doc__)
    n_rounds = 10 if options.quick else 100
    off_us, call_us = asyncio.run(measure(n_rounds))
    figure = Figure(
        "telemetry that is off, in a call",
        "µs",
        off_us,
        call_us,
        "a call",
        MOST_OF_A_CALL,
        n_rounds,
    )
    show([figure], as_json=options.json)


if __name__ == "__main__":
    main()
