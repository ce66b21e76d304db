"""Run one durable workflow to its end, for a scheduler; exits 0 only if it succeeded.

    python run_workflow.py NAME PARAMS.json --key KEY

KEY names this very run (the scheduler's run id): a task that is tried again finds the run it
started before instead of starting a second one. The last line of the output is the final status
as JSON. Needs the Python that ml-orchestrator is installed in; the working directory is the
project.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

AGENT = "ml-orchestrator"
WAIT_S = 45.0


class RefusedError(Exception):
    """A tool said no, and why."""


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return a tool's structured result, or raise RefusedError with its words."""
    answer = await client.call_tool(tool, arguments)
    if answer.is_error or answer.structured_content is None:
        words = " ".join(part.text for part in answer.content if part.type == "text")
        raise RefusedError(f"{tool}: {words}")
    content: dict[str, Any] = answer.structured_content
    return content


async def follow(client: Client, request: dict[str, Any]) -> dict[str, Any]:
    """Start the workflow, or find the one started with this key, and wait for its end."""
    status = await call(client, "workflow_run", **request)
    run_id = status["run_id"]
    while status["state"] in ("queued", "running"):
        status = await call(client, "workflow_status", run_id=run_id, wait_s=WAIT_S)
    return status


async def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the final status; end the program, after the server, where a tool refuses."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "ml_orchestrator", "mcp"])
    async with Client(server) as client:
        try:
            return await follow(client, request)
        except RefusedError as error:
            refusal = str(error)
    sys.exit(refusal)


def main() -> int:
    """Read the command line, run, and print the final status as one line of JSON."""
    parser = argparse.ArgumentParser(description="Run one durable workflow to its end.")
    parser.add_argument("name", help="train or drift-retrain")
    parser.add_argument("params", type=Path, help="JSON file with the workflow's params")
    parser.add_argument("--key", required=True, help="the scheduler's own id of this run")
    asked = parser.parse_args()
    params = json.loads(asked.params.read_text(encoding="utf-8"))
    request = {"agent": AGENT, "name": asked.name, "params": params, "idempotency_key": asked.key}
    status = asyncio.run(run(request))
    sys.stdout.write(json.dumps(status) + "\n")
    return 0 if status["state"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
