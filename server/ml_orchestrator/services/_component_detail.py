"""What is told of a component beside its state: its breaker, cost, version, configuration."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.health.status import BreakerHealth, ComponentHealth

__all__ = ["about", "breaker_health"]

_log = logging.getLogger(__name__)


def breaker_health(health: ComponentHealth, breaker: Breaker, *, always: bool) -> ComponentHealth:
    """Return a component's health with its breaker; without, if all is well and not ``always``."""
    look = breaker.look()
    if not always and look.n_failures == 0:
        return health
    retry_at = None
    if look.retry_in_s is not None:
        moment = datetime.now(UTC) + timedelta(seconds=look.retry_in_s)
        retry_at = moment.isoformat(timespec="milliseconds")
    shown = BreakerHealth(
        state=look.state, n_failures=look.n_failures, last_error=look.last_error, retry_at=retry_at
    )
    return health.model_copy(update={"breaker": shown})


def about(health: ComponentHealth, detail: Callable[[], Mapping[str, Any]]) -> ComponentHealth:
    """Return a component's health with what else is known of it.

    What cannot be told is left out; the log has why.
    """
    try:
        return health.model_copy(update=dict(detail()))
    except Exception:  # noqa: BLE001 a part that cannot describe itself must not hide the others
        _log.exception("Component %r could not be described", health.name)
        return health
