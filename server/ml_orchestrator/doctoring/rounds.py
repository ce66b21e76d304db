"""The checks in their order, each within its time, and how they are shown."""

import importlib
import json
import logging
import os
import queue
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from ml_orchestrator.doctoring.findings import Check, Finding, Patient, fault
from ml_orchestrator.settings import Settings

__all__ = ["CHECKS", "doctor", "examined"]

LIMIT_S = 8.0
ALL_LIMIT_S = 40.0
# Cheapest first; a module is imported when its turn comes.
CHECKS = (
    "installation:check_python",
    "directory:check_directory",
    "directory:check_file_system",
    "directory:check_keys",
    "plugin:check_plugin",
    "installation:check_packages",
    "installation:check_extras",
    "processes:check_worker",
    "processes:check_settings_of_worker",
    "processes:check_left_runs",
    "processes:check_servers",
    "processes:check_port",
    "databases:check_databases",
    "servers:check_mlflow",
    "servers:check_collector",
    "databases:check_schema",
    "databases:check_audit",
    "servers:check_postgres",
)
_log = logging.getLogger(__name__)
_SIGNS = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}


def doctor(settings: Settings, *, port: int | None, as_json: bool) -> int:
    """Look at everything, print it, and return 0, or 1 if there are faults."""
    findings = examined(Patient(settings, os.environ, port))
    if as_json:
        found = list(findings)
        told = {"is_well": not _faults(found), "findings": [asdict(each) for each in found]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return 1 if _faults(found) else 0
    found = []
    for each in findings:
        found.append(each)
        print(f"{_SIGNS[each.state]}  {each.check}: {each.said}", flush=True)
        if each.do:
            print(f"       -> {each.do}", flush=True)
    n_faults = len(_faults(found))
    print(f"\n{n_faults or 'no'} fault{'' if n_faults == 1 else 's'}. ", end="")
    print("`ml-orchestrator health` opens and probes every component.")
    return 1 if n_faults else 0


def _faults(findings: Iterable[Finding]) -> list[Finding]:
    return [each for each in findings if each.state == "fault"]


def examined(patient: Patient, checks: Iterable[str] = CHECKS) -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is known."""
    until = time.monotonic() + ALL_LIMIT_S
    for name in checks:
        left_s = min(LIMIT_S, until - time.monotonic())
        yield from _within(left_s, name, patient)


def _within(limit_s: float, name: str, patient: Patient) -> Iterator[Finding]:
    """Run a check in a thread that is left alone when its time is up: a disk may hang."""
    found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
    label = name.rpartition("check_")[2]
    threading.Thread(target=_run, args=(name, patient, found), daemon=True).start()
    until = time.monotonic() + limit_s
    while True:
        try:
            finding = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            said = f"There was no answer within {limit_s:.0f} s."
            yield fault(label, said, "Is a disk or a server hanging? Look at it, then ask again.")
            return
        if finding is None:
            return
        yield finding


def _run(name: str, patient: Patient, found: "queue.SimpleQueue[Finding | None]") -> None:
    module, function = name.split(":")
    try:
        check: Check = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        for finding in check(patient):
            found.put(finding)
    except ImportError as error:
        do = "The environment is incomplete: install the packages again."
        found.put(fault(function.removeprefix("check_"), f"It could not look: {error}.", do))
    except Exception as error:  # noqa: BLE001 one check's defect must not take the others down
        # Its text is neither shown nor logged: it may quote a setting, and so a password.
        kind, where = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        _log.error("The check %s broke with %s:\n%s", name, kind, where)
        do = "Please report this, with its traceback in the log."
        found.put(fault(function.removeprefix("check_"), f"It could not look: {kind}.", do))
    finally:
        found.put(None)
