"""How the processes beside the server are: the worker and the model servers."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.health.status import ProcessHealth
from ml_orchestrator.orchestration.workers import WorkerView, look_at_workers
from ml_orchestrator.serving.address import Address, read_addresses
from ml_orchestrator.serving.asking import ask, ask_status
from ml_orchestrator.settings import Settings
from ml_orchestrator.text import clean, cut

__all__ = ["look_at_processes"]

ANSWER_S = 1.0
MOST_SAID = 300  # characters of a server's fault
T = TypeVar("T")
MAX_SERVERS = 20  # all together are asked within 40 s, at worst


def look_at_processes(settings: Settings) -> list[ProcessHealth]:
    """Return how each worker and model server of the data directory is.

    A process is live if it shows signs of life, and ready if work may be sent to it. None at
    all is fine: each is started when it is wanted.
    """
    return [*_workers(settings), *_model_servers(settings)]


def _workers(settings: Settings) -> Iterator[ProcessHealth]:
    try:
        found, probe_ms = _timed(lambda: look_at_workers(settings))
    except UnavailableError as error:
        yield ProcessHealth(name="worker", pid=0, is_live=False, is_ready=False, reason=str(error))
        return
    yield from (_worker(worker, probe_ms) for worker in found)


def _worker(worker: WorkerView, probe_ms: float) -> ProcessHealth:
    reason = f"its lease was renewed {worker.silent_s:.1f} s ago"
    if worker.is_asked:
        reason += "; it was asked to leave and finishes the steps under way"
    elif worker.differs:
        reason += f"; {worker.difference}"
    if worker.has_died:
        reason = "it died; the next worker takes over its runs"
    elif worker.is_silent:
        reason = (
            f"it has not renewed its lease for {worker.silent_s:.0f} s; the next worker replaces it"
        )
    is_live = not worker.has_died and not worker.is_silent
    return ProcessHealth(
        name="worker",
        pid=worker.lease.pid,
        is_live=is_live,
        is_ready=is_live and not worker.is_asked,
        reason=reason,
        probe_ms=probe_ms,
    )


def _model_servers(settings: Settings) -> Iterator[ProcessHealth]:
    for address in read_addresses(settings.home)[:MAX_SERVERS]:
        yield _model_server(address)


def _model_server(address: Address) -> ProcessHealth:
    is_live, is_ready, probe_ms = False, False, None
    if not address.is_alive:
        reason = "it ended without tidying up; serve starts it again"
    else:
        is_live = ask_status(address.url, "/live", timeout_s=ANSWER_S) == 200
        answer, probe_ms = _timed(lambda: ask(address.url, "/ping", timeout_s=ANSWER_S))
        is_ready = is_live and answer is not None and answer[0] == 200
        reason = f"it answers at {address.url}" if is_ready else _said(answer)
    return ProcessHealth(
        name=f"serving {address.model}",
        pid=address.pid,
        is_live=is_live,
        is_ready=is_ready,
        reason=reason,
        probe_ms=probe_ms,
    )


def _said(answer: tuple[int, str] | None) -> str:
    """Return why a model server is not ready, in its own words where it has any."""
    if answer is None:
        return "/ping answers nothing"
    status, text = answer
    return (
        f"/ping answers {status}{f': {cut(clean(text).text, MOST_SAID)}' if text.strip() else ''}"
    )


def _timed(ask: Callable[[], T]) -> tuple[T, float]:
    began_at = time.perf_counter()
    answer = ask()
    return answer, round((time.perf_counter() - began_at) * 1e3, 2)
