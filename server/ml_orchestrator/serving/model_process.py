"""The process of an isolated model: loads one version and answers over its two pipes.

``python -m ml_orchestrator.serving.model_process``, started by ``isolated``; ends with its pipe.
"""

import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import IO, Any

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.logs import log_to_stderr
from ml_orchestrator.serving.engine import Outcome, Request
from ml_orchestrator.serving.loader import load_model
from ml_orchestrator.serving.pipes import read_message, write_message
from ml_orchestrator.serving.threaded import ThreadEngine
from ml_orchestrator.serving.warming import warm_up_requests

__all__ = ["main"]


def main() -> None:
    """Load what the first message names, then answer requests until the pipe ends."""
    log_to_stderr("INFO")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints goes to the log, not into the protocol
    asked = read_message(sys.stdin.buffer)
    if asked is None:
        return
    engine = _loaded(asked[0], answers)
    if engine is not None:
        _answer(engine, answers)
        engine.close()


def _loaded(asked: dict[str, Any], answers: IO[bytes]) -> ThreadEngine | None:
    began = time.perf_counter()
    path = Path(asked["path"])
    try:
        model = load_model(
            path,
            signature_inputs=asked["signature_inputs"],
            signature_outputs=asked["signature_outputs"],
            extra_trusted=asked["extra_trusted"],
            serialization=asked["serialization"],
        )
    except OrchestratorError as error:
        write_message(answers, {"error": str(error)})
        return None
    engine = ThreadEngine(
        model, name="model", examples=warm_up_requests(path.parent, model.columns)
    )
    write_message(answers, {"load_ms": (time.perf_counter() - began) * 1e3})
    return engine


def _answer(engine: ThreadEngine, answers: IO[bytes]) -> None:
    lock = threading.Lock()

    def tell(number: int, outcome: Outcome) -> None:
        with lock:
            header = {
                "id": number,
                "status": outcome.status,
                "n_rows": outcome.n_rows,
                "cause": outcome.cause,
            }
            write_message(answers, header, outcome.body)

    while (message := read_message(sys.stdin.buffer)) is not None:
        header, body = message
        request = Request(header["content_type"], body, asks=header["asks"])
        engine.submit(request, partial(tell, header["id"]))


if __name__ == "__main__":
    main()
