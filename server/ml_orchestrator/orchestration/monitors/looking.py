"""One look of a monitor: read, judge, record, and do what an alert owes."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.health.monitors.models import Look
from ml_orchestrator.health.monitors.store import Monitor, MonitorStore
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.monitors.judging import judge
from ml_orchestrator.orchestration.monitors.reading import Nothing, read_new
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

__all__ = ["look_once"]

_log = logging.getLogger(__name__)


def look_once(
    settings: Settings,
    store: MonitorStore,
    name: str,
    *,
    run_id: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Monitor:
    """Look at what a monitor watches and record it; the same run looks once.

    What cannot be read or judged counts as no data: it is not healthy.

    Raises:
        NotFoundError: there is no such monitor.
    """
    monitor = store.get(name)
    if store.has_recorded(run_id):
        return monitor
    look, given = _looked(settings, monitor, now())
    version = _version_to_leave(settings, monitor) if look.verdict == "bad" else None
    return store.record(
        name,
        look,
        run_id=run_id,
        version=version,
        seen_before=monitor.condition.seen,
        **given,
    )


def _looked(settings: Settings, monitor: Monitor, now: datetime) -> tuple[Look, dict[str, Any]]:
    """Return the look, and what else is recorded with it."""
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    try:
        data = read_new(settings, monitor.spec, monitor.condition.seen)
        if isinstance(data, Nothing):
            return Look(at=at, verdict=data.verdict, summary=data.reason), {}
        found = judge(settings, monitor.spec, data, known_limits=monitor.condition.limits, now=now)
    except OrchestratorError as error:
        return Look(at=at, verdict="no_data", summary=f"It cannot be judged: {error}"), {}
    except Exception:  # noqa: BLE001 nobody else would say that nothing is watched
        _log.exception("Monitor %s failed to look", monitor.name)
        said = "The look failed unexpectedly; the traceback is in logs/worker.log."
        return Look(at=at, verdict="no_data", summary=said), {}
    if not found.n_checks or (found.n_open and not found.is_bad):
        reason = " ".join(found.remarks)
        return Look(at=at, verdict="no_data", summary=reason), {"limits": found.limits}
    look = Look(
        at=at,
        verdict="bad" if found.is_bad else "good",
        summary=_summary(found.findings, found.remarks, data.frame.height),
        findings=(*found.findings, *data.notices)[:50],
    )
    given = {"seen": dict(data.seen), "limits": found.limits, "subjects": found.subjects}
    return look, given


def _version_to_leave(settings: Settings, monitor: Monitor) -> int | None:
    """Return where the alias points that an alert would take back: only from there it goes back.

    0 for unset; None if it is not known, or nothing is to be taken back.
    """
    back = monitor.spec.roll_back
    if back is None:
        return None
    database = open_database(settings.state_url, settings.home)
    try:
        return open_registry(settings, database).store.alias_version(back.model, back.alias) or 0
    except OrchestratorError as error:
        _log.warning("Monitor %s cannot tell where @%s is: %s", monitor.name, back.alias, error)
        return None
    finally:
        database.close()


def _summary(findings: list[str], remarks: list[str], n_rows: int) -> str:
    if findings:
        more = f" And {len(findings) - 3} more." if len(findings) > 3 else ""
        return f"{n_rows:,} new rows. {' '.join(findings[:3])}{more}"
    return f"{n_rows:,} new rows are as expected. {' '.join(remarks[:3])}".strip()
