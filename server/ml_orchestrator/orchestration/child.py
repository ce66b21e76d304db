"""Isolated steps: each in a process of its own that can be killed and never outlives us.

The worker sends the job as one line on the child's standard input and keeps that pipe open.
When the worker dies, however suddenly, the pipe ends and the child kills its whole process
group. The child leaves its answer in a file of the run, so that an answer given just before
the worker was killed is found by the next worker and nothing is computed twice.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration.execution import Job, StepFailedError, perform
from ml_orchestrator.orchestration.progress import ProgressStore, Reporter
from ml_orchestrator.orchestration.steps._base import STEPS, load_plugins, run_folder
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.whole_files import write_whole
from ml_orchestrator.telemetry.context import carried, carrier
from ml_orchestrator.telemetry.spans import span

__all__ = ["run_in_child", "run_step_child"]

PREDECESSOR_WAIT_S = 30.0
_log = logging.getLogger(__name__)
STDERR = 2


async def run_in_child(settings: Settings, job: Job) -> dict[str, Any]:
    """Run a step in a child process and return its output; cancelling kills the child.

    Raises:
        StepFailedError: the step failed, or its process died without an answer.
    """
    answer = _answer_file(settings, job)
    if not answer.exists():
        code = await _run_process(settings, job)
        for _ in range(STEPS[job.catalogued].restarts):
            if answer.exists() or code != -signal.SIGKILL:
                break
            _log.warning("Step %s of run %s was killed and goes on", job.step, job.run_id)
            code = await _run_process(settings, job)
        if not answer.exists():
            raise StepFailedError(
                f"The process of step {job.step!r} ended without an answer ({_ending(code)}). "
                "See logs/worker.log of the data directory; a kill from outside is often a "
                "lack of memory."
            )
    return _output(json.loads(answer.read_text(encoding="utf-8")))


async def _run_process(settings: Settings, job: Job) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ml_orchestrator", "step", job.run_id, job.step),
        stdin=asyncio.subprocess.PIPE,
        stdout=STDERR,
        env=child_environment(settings),
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        request = {
            "settings": settings.to_environment(),
            "workflow": job.workflow,
            "attempt": job.attempt,
            "uses": job.uses,
            "place": job.place,
            "actor": job.actor,
            "params": job.params,
            "inputs": job.inputs,
            "trace": carrier(),
        }
        process.stdin.write(json.dumps(request).encode() + b"\n")
        return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def run_step_child(argv: Sequence[str]) -> int:
    """Run a step, leave its answer and return 0 if it succeeded.

    Args:
        argv: the run and the step; the rest of the job comes on standard input.
    """
    run_id, step = argv
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_worker, daemon=True).start()
    settings = Settings.read(request.pop("settings"))
    trace = request.pop("trace")
    job = Job(run_id=run_id, step=step, **request)
    folder = run_folder(settings, job.run_id, job.place)
    # The child of a killed worker may need a moment to die; two must never share a study.
    with FileLock(folder / "step.lock", timeout=PREDECESSOR_WAIT_S):
        with carried(trace), span(f"step {job.step}", run_id=job.run_id):
            answer = _answer(settings, job)
        write_whole(_answer_file(settings, job), json.dumps(answer))
    return 0 if "output" in answer else 1


def _answer(settings: Settings, job: Job) -> dict[str, Any]:
    load_plugins(settings)
    database = open_database(settings.state_url, settings.home)
    reporter = Reporter(ProgressStore(database), job.run_id, job.step)
    try:
        return {"output": perform(settings, job, reporter)}
    except StepFailedError as error:
        return {"error": str(error), "is_final": error.is_final}
    finally:
        database.close()


def _output(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise StepFailedError(answer["error"], is_final=answer.get("is_final", False))
    output: dict[str, Any] = answer["output"]
    return output


def _answer_file(settings: Settings, job: Job) -> Path:
    name = f"{job.step}.{job.attempt}.answer.json"
    return run_folder(settings, job.run_id, job.place) / name


def _die_with_worker() -> None:
    """Wait for the end of standard input, then kill this process and its descendants."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
