"""A model in a process of its own: what it does to that process, it does not do to the server.

The process sees a scrubbed environment without our settings and secrets. If it dies, the
requests it had are answered 503 and it is started again, once a minute at most.
"""

import itertools
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.errors import (
    IntegrityViolationError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.serving.engine import Done, Outcome, Request
from ml_orchestrator.serving.opening import Checkout, Copy, warmed
from ml_orchestrator.serving.output import single_answers
from ml_orchestrator.serving.pipes import read_message, write_message
from ml_orchestrator.serving.refusals import refusal
from ml_orchestrator.serving.signature import Column, parse_columns
from ml_orchestrator.serving.slot import Opened
from ml_orchestrator.serving.warming import warm_up_requests
from ml_orchestrator.settings import Settings
from ml_orchestrator.variables import PREFIX

__all__ = ["ModelProcess", "ProcessEngine", "in_own_process"]

START_S = 60.0
BACK_OFF_S = 0.5
MIN_LIFE_S = 60.0
END_S = 10.0
_log = logging.getLogger(__name__)


class ModelProcess:
    """One process with one loaded model. Thread-safe.

    Raises, when built:
        IntegrityViolationError: the model is unsafe to load.
        UnavailableError: the process did not come up.
    """

    def __init__(
        self, copy: Copy, *, extra_trusted: Sequence[str], environment: dict[str, str], folder: Path
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ml_orchestrator.serving.model_process"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the server, which drains it
        )
        self._lock = threading.Lock()
        self._pending: dict[int, Done] = {}
        self._numbers = itertools.count()
        self._has_ended = False
        self._to_send: queue.SimpleQueue[tuple[int, Request] | None] = queue.SimpleQueue()
        self.load_ms = self._load(copy, extra_trusted)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def listen(self, failed: Callable[[], None], ended: Callable[[], None]) -> None:
        """Hand answers out from now on, in a thread.

        ``failed`` is called before the first request goes without, ``ended`` when it is gone.
        """
        listen = partial(self._listen, failed, ended)
        threading.Thread(target=listen, name="model-answers", daemon=True).start()
        threading.Thread(target=self._send, name="model-requests", daemon=True).start()

    def submit(self, request: Request, done: Done) -> None:
        """Send a request; answered 503 if the process is gone or goes."""
        with self._lock:
            has_ended, number = self._has_ended, next(self._numbers)
            if not has_ended:
                self._pending[number] = done
        if has_ended:
            done(_gone())
        else:
            self._to_send.put((number, request))

    def close(self) -> None:
        """Let it answer what it has, then end."""
        self._to_send.put(None)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self) -> None:
        """Write requests to the pipe, which may block, in a thread of its own."""
        pipe = _pipe(self._process.stdin)
        with suppress(OSError):  # the listener sees the end of the process and answers for it
            while (item := self._to_send.get()) is not None:
                number, request = item
                header = {
                    "id": number,
                    "content_type": request.content_type,
                    "asks": request.asks,
                }
                write_message(pipe, header, request.body)
        with suppress(OSError):
            pipe.close()

    def _load(self, copy: Copy, extra_trusted: Sequence[str]) -> float:
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            write_message(
                _pipe(self._process.stdin),
                {
                    "path": str(copy.directory / copy.description.model_file),
                    "signature_inputs": copy.description.signature_inputs,
                    "signature_outputs": copy.description.signature_outputs,
                    "extra_trusted": list(extra_trusted),
                    "serialization": copy.description.serialization,
                },
            )
            message = read_message(_pipe(self._process.stdout))
        except (OSError, ValueError):
            message = None
        finally:
            timer.cancel()
        if message is None or "error" in message[0]:
            with self._process:
                self._process.kill()
        if message is None:
            code = self._process.returncode
            raise UnavailableError(f"The model's process ended while it loaded (exit code {code}).")
        if "error" in message[0]:
            raise IntegrityViolationError(str(message[0]["error"]))
        return float(message[0]["load_ms"])

    def _listen(self, failed: Callable[[], None], ended: Callable[[], None]) -> None:
        try:
            while (message := read_message(_pipe(self._process.stdout))) is not None:
                header, body = message
                with self._lock:
                    done = self._pending.pop(header["id"])
                done(_outcome(header, body))
        except (ValueError, KeyError, TypeError, OSError):
            _log.exception("The model's process does not keep to the protocol; it is ended")
        finally:
            failed()
            self._bury()
            ended()

    def _bury(self) -> None:
        """Answer what is left with 503, and see that the process is gone."""
        self._process.kill()  # it has closed its answers, or must not give more
        with self._lock:
            self._has_ended = True
            lost = list(self._pending.values())
            self._pending.clear()
        self._to_send.put(None)
        for done in lost:
            done(_gone())
        self._process.wait()
        _pipe(self._process.stdout).close()


class ProcessEngine:
    """``Engine`` of a model in a process of its own, started again once if it dies."""

    def __init__(self, start: Callable[[], ModelProcess]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._is_closed = False
        self._fault: str | None = None
        self._stays_ended = False
        self._restarted_at = float("-inf")
        self._process = start()
        self._process.listen(self._failed, self._ended)

    @property
    def pid(self) -> int:
        """Process id of the model now."""
        return self._process.pid

    def submit(self, request: Request, done: Done) -> None:
        """Take a request; 503 while there is no process."""
        self._process.submit(request, done)

    def fault(self) -> str | None:
        """Return why it cannot answer now; None if it can."""
        return self._fault

    def close(self) -> None:
        """Answer what was taken, then end the process."""
        with self._lock:
            self._is_closed = True
            self._process.close()

    def _failed(self) -> None:
        """Say so before anybody can notice. Runs in the listener's thread, as ``_ended`` does."""
        self._stays_ended = time.monotonic() - self._restarted_at < MIN_LIFE_S
        again = " twice within a minute; it stays ended" if self._stays_ended else ""
        self._fault = f"The model's process ended{again or '; it is started again'}."

    def _ended(self) -> None:
        """Start it again, unless that has just been tried."""
        with self._lock:
            if self._is_closed:
                return
            _log.error(self._fault)
            if self._stays_ended:
                return
            self._restarted_at = time.monotonic()
        time.sleep(BACK_OFF_S)
        with self._lock:
            if not self._is_closed:
                self._restart()

    def _restart(self) -> None:
        try:
            self._process = self._start()
        except OrchestratorError as error:
            self._fault = f"The model's process could not be started again: {error}"
            _log.exception("The model's process could not be started again")
            return
        self._fault = None
        self._process.listen(self._failed, self._ended)


def in_own_process(
    checkout: Checkout, settings: Settings, *, extra_trusted: Sequence[str] = ()
) -> Callable[[int], Opened]:
    """Return what opens a version in a process of its own."""
    environment = {
        name: value
        for name, value in child_environment(settings).items()
        if not name.startswith((PREFIX, "MLFLOW_", "OTEL_"))
    }

    def open_version(version: int) -> Opened:
        began = time.perf_counter()
        requests: list[Request] = []
        columns: list[Column] = []

        def start() -> ModelProcess:
            with checkout(version) as copy:
                columns[:] = parse_columns(copy.description.signature_inputs)
                requests[:] = warm_up_requests(copy.directory, columns)
                return ModelProcess(
                    copy,
                    extra_trusted=extra_trusted,
                    environment=environment,
                    folder=settings.home,
                )

        engine = ProcessEngine(start)
        load_s = time.perf_counter() - began
        return warmed(engine, requests, version=version, load_s=load_s, columns=columns)

    return open_version


def _outcome(header: dict[str, Any], body: bytes) -> Outcome:
    status = int(header["status"])
    content = json.loads(body) if status == 200 else {}
    predictions = single_answers(content.get("predictions", []))  # none where chances were asked
    return Outcome(
        status=status,
        body=body,
        predictions=predictions,
        n_rows=int(header["n_rows"]),
        cause=str(header["cause"]),
    )


def _gone() -> Outcome:
    return refusal(503, "The model's process ended; try again.")


def _pipe(pipe: Any) -> Any:
    if pipe is None:
        raise OSError("no pipe")
    return pipe
