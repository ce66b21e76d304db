"""Telemetry of one process, from its start to its end."""

import importlib
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ml_orchestrator.extras import pip_install
from ml_orchestrator.telemetry.switch import Switch, read_switch

__all__ = ["exporting"]

# A collector that does not answer holds up the end of a process no longer than this.
LAST_WORDS_S = 2.0
_log = logging.getLogger(__name__)


@contextmanager
def exporting(process: str, environ: Mapping[str, str]) -> Iterator[Switch]:
    """Send this process's traces and metrics while the block runs, if the environment asks.

    What cannot be done is said once in the log, and the process goes on without. Spans and
    metrics that are left at the end are sent within ``LAST_WORDS_S`` or lost.

    Args:
        process: server, worker, step or serving: part of the service's name.
        environ: The variables of OpenTelemetry; its SDK reads further ones by itself.
    """
    switch = read_switch(environ)
    for fault in switch.faults:
        _log.warning("Telemetry: %s", fault)
    export = _load() if switch.is_on else None
    if export is None:
        yield Switch(faults=switch.faults)
        return
    end = export.begin(switch, process)
    try:
        yield switch
    finally:
        ending = threading.Thread(target=end, name="telemetry-end", daemon=True)
        ending.start()
        ending.join(LAST_WORDS_S)


def _load() -> Any:
    try:
        return importlib.import_module("ml_orchestrator.telemetry._export")
    except ImportError as error:
        _log.warning(
            "Telemetry is asked for, but %s is not installed: %s. Going on without.",
            error.name,
            pip_install("otel"),
        )
        return None
