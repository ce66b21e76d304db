"""One process's work on a study whose trials run elsewhere, several at once."""

import logging
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.telemetry.measures import count_trial
from ml_orchestrator.training.pools import Ended, Order, Pool
from ml_orchestrator.training.running import MAX_DEATHS, Run
from ml_orchestrator.training.space import Params

__all__ = ["RunAtOnce"]

LOOK_S = 0.25  # between looks at the clock and at requests
WAITS_S = (1.0, 2.0, 4.0, 8.0)  # before a trial that was lost is sent again: a node may restart
MAX_LOSSES = len(WAITS_S) + 1  # of one trial
ANSWERED = ("complete", "pruned", "failed")  # what comes back from a cluster that works
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Out:
    """A trial that has begun; ``n_deaths`` of its process, ``n_losses`` by its cluster.

    ``again_at`` is when it is sent again, None while it runs. ``n_answered`` is how many trials
    had answered when it was first lost.
    """

    draw: Any
    params: Params
    family: str
    n_deaths: int = 0
    n_losses: int = 0
    n_answered: int = 0
    again_at: float | None = None


class RunAtOnce(Run):
    """Asks for trials before earlier ones have ended, and takes them in as they end.

    A given point of a later stage waits until all points before it are finished; nothing else
    does. Which trials follow depends on the order in which those before have ended, so two runs
    of one seed may differ. What ends the search also ends the trials that still run, unless none
    is complete yet.
    """

    def __init__(self, *args: Any, pool: Pool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool = pool
        self._out: dict[int, _Out] = {}
        self._n_answered = 0
        self._is_drained = False
        self._counted_at = self._clock()

    def _search(self) -> None:
        try:
            self._fill()
            while self._out and not self._is_cut_short():
                for index, ended in self._pool.ended(LOOK_S):
                    self._take(index, ended)
                self._send_waiting()
                self._tell_progress(0)
                self._fill()
        finally:
            self._give_up()

    def _is_cut_short(self) -> bool:
        """Return whether what runs is to be ended; the first complete trial is waited for."""
        return self._course.best() is not None and self._is_over()

    def _fill(self) -> None:
        while len(self._out) < self._pool.width and self._may_begin():
            index = self._course.free_index(list(self._out))
            if not self._course.knows(index):
                return
            asked = self._ask(index)
            if asked is None:
                self._is_drained = True
                return
            draw, params = asked
            self._out[index] = _Out(draw, params, self._family_of(draw))
            self._course.at_work.append(self._out[index].family)
            self._send(index)

    def _may_begin(self) -> bool:
        n_begun = len(self._trials) + len(self._out)
        if self._is_drained or n_begun >= self._plan.n_trials:
            return False
        return not self._is_over() and not (n_begun and self._left_s() <= 0)

    def _send(self, index: int) -> None:
        params = self._out[index].params
        left_s = None if self._course.best() is None else max(0.0, self._left_s())
        self._pool.begin(index, Order(params, self._course.rivals(params), left_s))

    def _take(self, index: int, ended: Ended) -> None:
        out = self._out[index]
        self._n_answered += ended.state in ANSWERED
        if ended.state == "lost":
            out.n_losses += 1
            if out.n_losses < MAX_LOSSES:
                self._let_wait(index, out, ended.error)
                return
            ended = self._lost_for_good(out, ended.error)
        if ended.state == "died":
            out.n_deaths += 1
            if out.n_deaths < MAX_DEATHS and not ended.is_final:
                self._send(index)
                return
        del self._out[index]
        self._course.at_work.remove(out.family)
        if ended.state == "cut off":  # so would be what begins now
            self._journal.drop(out.draw)
            self._is_drained = True
            return
        self._settle(index, out, ended)

    def _settle(self, index: int, out: _Out, ended: Ended) -> None:
        if ended.state == "complete":
            self._objective.keep(out.params, ended.answered)
        state = "failed" if ended.state == "died" else ended.state
        outcome = {
            "index": index,
            "state": state,
            "scores": list(ended.scores),
            "seconds": ended.seconds,
            "error": ended.error,
            "costs": list(ended.costs),
            "added_s": self._added_s(),
            **({"curve": list(ended.curve)} if ended.curve else {}),
        }
        self._course.add(self._journal.settle(out.draw, outcome))
        count_trial(ended.seconds, state=state)

    def _let_wait(self, index: int, out: _Out, why: str) -> None:
        """Let a trial that the cluster has lost wait, longer each time, until it is sent again.

        It keeps its place meanwhile: others in it would be lost, too, while the cluster is down.
        """
        if out.n_losses == 1:
            out.n_answered = self._n_answered
        wait_s = WAITS_S[out.n_losses - 1]
        out.again_at = self._clock() + wait_s
        _log.warning("The cluster lost trial %d; it is sent again in %g s: %s", index, wait_s, why)

    def _send_waiting(self) -> None:
        now_s = self._clock()
        for index, out in self._out.items():
            if out.again_at is not None and out.again_at <= now_s:
                out.again_at = None
                self._send(index)

    def _lost_for_good(self, out: _Out, why: str) -> Ended:
        """Return the failure of a trial that was lost too often, though others have answered.

        Raises:
            UnavailableError: none has since its first loss.
        """
        if self._n_answered > out.n_answered:
            return Ended(
                "failed",
                error=f"lost by the cluster {out.n_losses} times ({why}) while other trials "
                "answered, so the fault is likely its own, such as a result that cannot be read",
            )
        raise UnavailableError(
            f"The cluster has lost one trial {out.n_losses} times in {sum(WAITS_S):g} s or more "
            f"({why}) and no other has answered meanwhile, so the search ends. The fault is the "
            "cluster's: look at it. Finished trials are kept; resume the run once it is well."
        )

    def _added_s(self) -> float:
        """Return how long the search has run since a trial was last counted."""
        since, self._counted_at = self._counted_at, self._clock()
        return self._counted_at - since

    def _give_up(self) -> None:
        """Forget what has not ended; it does not count."""
        self._pool.give_up()
        for out in self._out.values():
            self._journal.drop(out.draw)
        self._out.clear()

    def _family_of(self, draw: Any) -> str:
        return str(draw.space.fixed.get(self._plan.family, ""))
