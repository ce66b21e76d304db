"""Trials as remote tasks of Ray; the only module that knows it.

What all trials of a search share is put into the object store once. A task is never repeated by
Ray itself: who sent it decides that.
"""

import logging
import os
import platform
import shutil
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray import exceptions

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.extras import DISTRIBUTION, this_release
from ml_orchestrator.training.pools import Ended, Order, Trial

__all__ = ["RayCluster", "RayPool", "open_ray"]

LOCAL = "local"
LOOKED_AT = (DISTRIBUTION, "scikit-learn", "numpy", "pandas")  # must be the same there
FIRST_TASK_S = 120.0
REACH_S = 10.0
# What Ray raises where it has failed itself; all else of its own is about the process of a task.
CLUSTER_FAULTS = (
    exceptions.RaySystemError,
    exceptions.ObjectLostError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectStoreFullError,
    exceptions.OutOfDiskError,
)
_log = logging.getLogger(__name__)


class RayCluster:
    """A cluster that this process has joined."""

    def __init__(self, about: str, *, at_once: int, plugins: Sequence[str]) -> None:
        self.about = about
        self._at_once = at_once
        self._plugins = tuple(plugins)

    def pool(self, trial: Trial) -> "RayPool":
        """Return a pool; the trial, with all that it holds, goes to the object store."""
        return RayPool(ray.put(trial), self._at_once, self._plugins)


class RayPool:
    """Trials of one search as tasks of one processor each (``training.pools.Pool``)."""

    def __init__(self, trial: Any, width: int, plugins: tuple[str, ...]) -> None:
        self.width = width
        self._trial = trial
        self._plugins = plugins
        self._task = ray.remote(num_cpus=1, max_retries=0)(_run)
        self._running: dict[Any, int] = {}

    def begin(self, index: int, order: Order) -> None:
        """Send a trial off."""
        with _connected():
            reference = self._task.remote(self._trial, order, self._plugins)
        self._running[reference] = index

    def ended(self, within_s: float) -> Sequence[tuple[int, Ended]]:
        """Return what has ended, at least one if any does ``within_s``."""
        if not self._running:
            time.sleep(within_s)  # Ray itself would not wait
            return ()
        with _connected():
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=within_s)
            if done:
                everything = list(self._running)
                done, _ = ray.wait(everything, num_returns=len(everything), timeout=0)
            return [(self._running.pop(reference), _outcome(reference)) for reference in done]

    def give_up(self) -> None:
        """Kill what runs, at once."""
        for reference in self._running:
            try:
                ray.cancel(reference, force=True)
            except (exceptions.RayError, ConnectionError, ValueError) as error:
                _log.info("A trial could not be cancelled, so it has ended: %s", error)
        self._running.clear()


@contextmanager
def open_ray(address: str, *, at_once: int | None, plugins: Sequence[str]) -> Iterator[RayCluster]:
    """Join a cluster, or start one on this machine that ends with the block.

    Raises:
        UnavailableError: see ``training.clusters.open_cluster``.
    """
    session = _join(address, at_once)
    try:
        n_processors = int(ray.cluster_resources().get("CPU", 0))
        width = at_once or max(1, n_processors)
        _check_there(address, plugins)
        yield RayCluster(
            f"Ray ({address}, {n_processors} processors)", at_once=width, plugins=plugins
        )
    finally:
        ray.shutdown()
        if session is not None:
            shutil.rmtree(session, ignore_errors=True)  # its logs are of use to nobody


def _join(address: str, at_once: int | None) -> Path | None:
    """Return the folder of a cluster that was started for this process alone."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tells its makers nothing of us
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        quiet |= {"include_dashboard": False}
        if at_once is not None:
            quiet |= {"num_cpus": at_once}
    try:
        _reach(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what its next releases will do
            joined = ray.init(address=address, **quiet)
    except Exception as error:
        _log.warning("Ray at %s cannot be joined", address, exc_info=True)
        raise UnavailableError(
            f"The Ray cluster at {address} cannot be joined ({type(error).__name__}: "
            f"{_first_line(error)}). Check ML_ORCHESTRATOR_RAY_ADDRESS: local, host:port from a "
            "machine of the cluster, or ray://host:10001; the releases of Ray and Python must be "
            "the same on both sides, and a cluster with a token needs it in the file that "
            "RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token."
        ) from error
    if address != LOCAL:
        return None
    return Path(joined.address_info["session_dir"])


def _reach(address: str) -> None:
    """Raise an ``OSError`` if nobody listens there; Ray itself may end the process over that."""
    if address != LOCAL:
        host, _, port = address.removeprefix("ray://").rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()


def _check_there(address: str, plugins: Sequence[str]) -> None:
    """Run a first task, which says what is installed there.

    Raises:
        UnavailableError: none runs in time, or what is there differs from what is here.
    """
    look = ray.remote(num_cpus=1, max_retries=1)(_installed).remote(tuple(plugins))
    try:
        there: Mapping[str, str] = ray.get(look, timeout=FIRST_TASK_S)
    except exceptions.GetTimeoutError as error:
        ray.cancel(look, force=True)
        raise UnavailableError(
            f"No processor of the Ray cluster at {address} was free within {FIRST_TASK_S:.0f} s. "
            "Add machines, or wait for its other jobs."
        ) from error
    except (exceptions.RayError, ImportError) as error:
        raise UnavailableError(
            f"A first task on the Ray cluster at {address} failed ({_first_line(error)}). Its "
            "machines need this package with its extra, in the same release: pip install "
            f"'{this_release('ray')}', and whatever adds trainers."
        ) from error
    here = _installed(())
    if unlike := [
        f"{name} {there[name]} (here {here[name]})" for name in here if there[name] != here[name]
    ]:
        raise UnavailableError(
            f"The Ray cluster at {address} has {', '.join(unlike)}. Trials need the same there as "
            "here, or a model that was scored is not the one that is fitted."
        )


def _installed(plugins: tuple[str, ...]) -> dict[str, str]:
    for module in plugins:
        import_module(module)
    return {"python": platform.python_version(), **{name: version(name) for name in LOOKED_AT}}


def _run(trial: Trial, order: Order, plugins: tuple[str, ...]) -> Ended:
    """Run a trial, in a process of the cluster."""
    for module in plugins:
        import_module(module)
    return trial(order)


def _outcome(reference: Any) -> Ended:
    """Return how a task ended; whatever ended it is a matter of its trial alone.

    A result that cannot be read here is one that was lost: Ray says the same of it, or through
    its client raises what unpickling did.

    Raises:
        ConnectionError: the cluster cannot be reached, which no trial is the cause of.
    """
    try:
        ended: Ended = ray.get(reference)
    except exceptions.OutOfMemoryError:
        return Ended("died", error="its process on the cluster ran out of memory", is_final=True)
    except exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, BaseException) else error
        return Ended("failed", error=f"{type(cause).__name__}: {_first_line(cause)}")
    except CLUSTER_FAULTS as error:
        return Ended("lost", error=f"{type(error).__name__}: {_first_line(error)}")
    except exceptions.RayError as error:
        return Ended("died", error=f"its process on the cluster died ({type(error).__name__})")
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 whatever unpickling a result raises
        _log.warning("The result of a trial cannot be read here", exc_info=True)
        return Ended("lost", error=f"{type(error).__name__}: {_first_line(error)}")
    return ended


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, exceptions.RaySystemError) as error:
        raise UnavailableError(
            f"The Ray cluster went away in the midst of a search ({_first_line(error)}). Finished "
            "trials are kept; resume the run once it is back."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
