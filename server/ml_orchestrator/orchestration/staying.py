"""How long a worker stays: until there is nothing to do, or until it is asked to leave."""

import logging
import time
from collections.abc import Callable

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration._dbos import engine
from ml_orchestrator.orchestration._dbos.given_up import Tell
from ml_orchestrator.orchestration.schedules.sweeping import Sweeper
from ml_orchestrator.orchestration.sharing.tenure import SharedTenure
from ml_orchestrator.orchestration.tenure import Tenure

__all__ = ["BUSY_POLL_S", "IDLE_POLL_S", "Stay"]

LOOK_S = 0.5
BUSY_POLL_S = 0.1  # where runs may be queued by whoever cannot ring
IDLE_POLL_S = 0.5
IDLE_AFTER_S = 10.0
MEND_EVERY_S = 5.0
_log = logging.getLogger(__name__)


class Stay:
    """What a worker does until it may leave: look for what is due, and after other workers.

    Args:
        idle_s: It leaves once there was nothing to do for so long, in s.
        busy_poll_s: How often it looks for runs while there are some, in s.
        tenure: Its time as a worker, which it ends before it looks for the last time.
        sweeper: Hands out what is due by a schedule.
        look: Is called every so often.
        given_up: Is told of each run that was taken over too often, with its plan.
    """

    def __init__(
        self,
        idle_s: float,
        busy_poll_s: float,
        tenure: Tenure | SharedTenure,
        sweeper: Sweeper,
        look: Callable[[], object],
        given_up: Tell,
    ) -> None:
        self._idle_s = idle_s
        self._busy_poll_s = busy_poll_s
        self._tenure = tenure
        self._sweeper = sweeper
        self._look = look
        self._given_up = given_up
        self._busy_at = time.monotonic()
        self._poll_s = 0.0
        self._mend_at = time.monotonic() + MEND_EVERY_S

    def until_idle(self, is_asked: Callable[[], bool]) -> bool:
        """Return True once there is nothing to do, False once this worker is asked to leave.

        While a database is away there may be something.
        """
        is_away = False
        while True:
            try:
                if is_asked():
                    return False
                if self._is_over():
                    return True
                is_away = False
            except UnavailableError as error:
                if not is_away:
                    _log.warning("The worker waits: %s", error)
                self._busy_at, is_away = time.monotonic(), True
            time.sleep(LOOK_S)

    def _is_over(self) -> bool:
        """Do what is due; whether there is nothing more and this worker has resigned."""
        if self._sweeper.sweep() or engine.has_work():
            self._busy_at = time.monotonic()
        self._look()
        self._mend()
        idle_for = time.monotonic() - self._busy_at
        if idle_for >= self._idle_s and not self._sweeper.is_wanted() and self._may_leave():
            return True
        wanted_s = IDLE_POLL_S if idle_for > IDLE_AFTER_S else self._busy_poll_s
        if wanted_s != self._poll_s:
            engine.poll_every(wanted_s)
            self._poll_s = wanted_s
        return False

    def _mend(self) -> None:
        if time.monotonic() < self._mend_at:
            return
        self._mend_at = time.monotonic() + MEND_EVERY_S
        for run_id in engine.mend_strays():
            _log.warning("Nothing was at run %s any more; it is queued again", run_id)
        engine.tell_given_up(self._given_up)

    def _may_leave(self) -> bool:
        """Resign, then look for work and schedules once more.

        Who enqueues looks for a worker afterwards: either we see their run or they see us gone.
        """
        self._tenure.end()
        try:
            if not engine.has_work() and not self._sweeper.is_wanted():
                return True
        except UnavailableError as error:
            _log.warning("The worker stays: %s", error)
        return not self._tenure.begin()
