"""Removing what is over: beside the work of a worker, or at once by hand."""

import logging
import time
from collections.abc import Callable
from contextlib import closing

from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.orchestration._dbos.database import prepare
from ml_orchestrator.orchestration._dbos.history import History
from ml_orchestrator.orchestration.retention.rules import KeepRules, Pruned
from ml_orchestrator.orchestration.retention.walk import Pass
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database

__all__ = ["Pruner", "prune"]

FIRST_S = 3.0  # after the worker begins, which then has something more urgent to do
LOOK_S = 60.0
WORK_S = 0.2  # at once; others come in between
PASS_EVERY_S = 21_600.0
STAMP = "runs.pruned"
_log = logging.getLogger(__name__)


class Pruner:
    """Makes a pass every six hours, a few steps for each call. Not thread-safe."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
        first_s: float = FIRST_S,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._stamp = settings.home / STAMP
        self._look_at = clock() + first_s
        self._history: History | None = None
        self._pass: Pass | None = None

    def sweep(self) -> None:
        """Go on for a moment if a pass is due; what goes wrong is tried again in a minute."""
        if self._settings.mode == "read-only":
            return
        try:
            if self._pass is None and self._is_due():
                self._history = History(self._settings)
                self._pass = Pass(
                    self._settings, self._database, self._history, KeepRules.of(self._settings)
                )
            if self._pass is not None and not self._goes_on(self._pass):
                self._stamp.touch()
                _log.info("Old runs are removed: %s", self._pass.pruned.model_dump_json())
                self.close()
        except (OrchestratorError, OSError) as error:
            _log.warning("Old runs wait to be removed: %s", error)
            self.close()
        except Exception:  # noqa: BLE001 the worker has runs to do, whatever is wrong here
            _log.exception("Old runs wait to be removed")
            self.close()

    def _goes_on(self, going: Pass) -> bool:
        """Do some steps; False once there are no more."""
        until = self._clock() + WORK_S
        while going.step():
            if self._clock() >= until:
                return True
        return False

    def close(self) -> None:
        """End a pass where it stands; the next one begins anew."""
        if self._history is not None:
            self._history.close()
        self._history = self._pass = None
        self._look_at = self._clock() + LOOK_S

    def _is_due(self) -> bool:
        if self._clock() < self._look_at:
            return False
        self._look_at = self._clock() + LOOK_S
        try:
            age_s = time.time() - self._stamp.stat().st_mtime
        except FileNotFoundError:
            return True
        return not 0 <= age_s < PASS_EVERY_S


def prune(settings: Settings, rules: KeepRules, *, is_trial: bool) -> Pruned:
    """Make one pass and return what it removed, or would remove.

    Raises:
        UnavailableError: a database cannot be used; what was begun is finished by the next pass.
    """
    prepare(settings)
    with (
        closing(open_database(settings.state_url, settings.home)) as database,
        closing(History(settings)) as history,
    ):
        return Pass(settings, database, history, rules, is_trial=is_trial).run()
