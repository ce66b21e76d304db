"""The loop of one roll-out: look, plan, do, until it is over."""

import logging
from collections.abc import Callable

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    NotFoundError,
    OrchestratorError,
    PermissionDeniedError,
    UnavailableError,
)
from ml_orchestrator.orchestration.rollouts.ports import AliasPort, Answer, ApprovalPort, TellPort
from ml_orchestrator.orchestration.rollouts.watching import Watch
from ml_orchestrator.serving.control import ServingControl, ServingState
from ml_orchestrator.serving.rollout import actions as do
from ml_orchestrator.serving.rollout.actions import Facts, Note, Rollout, Turn
from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.serving.rollout.models import FINAL
from ml_orchestrator.serving.rollout.plan import plan_next
from ml_orchestrator.serving.rollout.turns import go_back
from ml_orchestrator.text import cut

__all__ = ["RolloutRunner"]

RETRY_S = 0.2
CONFLICT_LIMIT_S = 30.0
MAX_SILENCE = 500
_REFUSALS = (ConflictError, NotFoundError, PermissionDeniedError, IntegrityViolationError)
_log = logging.getLogger(__name__)


class RolloutRunner:
    """Carries one roll-out out, from wherever an earlier worker left it.

    Args of the constructor:
        open_serving: Reaches the model server, starting it if there is none.
        now: Seconds since the epoch.
        wait: Sleeps; in tests it moves the clock.
        report: Told after every change.
    """

    def __init__(
        self,
        journal: RolloutJournal,
        watch: Watch,
        *,
        open_serving: Callable[[Rollout], ServingControl],
        aliases: AliasPort,
        teller: TellPort,
        approvals: ApprovalPort,
        now: Callable[[], float],
        wait: Callable[[float], None],
        report: Callable[[Rollout], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._watch = watch
        self._open_serving = open_serving
        self._aliases = aliases
        self._teller = teller
        self._approvals = approvals
        self._now = now
        self._wait = wait
        self._report = report
        self._reached: ServingControl | None = None
        self._conflict_since: float | None = None
        self._silence: str | None = None

    def run(self, rollout_id: str) -> Rollout:
        """Return the roll-out once it is over.

        Raises:
            ConflictError: another worker has taken it over meanwhile.
        """
        rollout = self._journal.take(rollout_id)
        while not rollout.is_over:
            following = self._advance(rollout)
            if following is not rollout:
                self._report(following)
            rollout = following
        return rollout

    def _advance(self, rollout: Rollout) -> Rollout:
        """Do the next thing; a database or registry that cannot serve is asked again."""
        try:
            return self._perform(rollout, plan_next(rollout, self._look(rollout)))
        except UnavailableError as error:
            _log.warning("Roll-out %s waits: %s", rollout.id, error)
            self._wait(RETRY_S)
            return rollout

    def _look(self, rollout: Rollout) -> Facts:
        serving = self._state(rollout) if rollout.state not in ("pending", "verifying") else None
        answer = self._answer(rollout)
        return Facts(
            now=self._now(),
            serving=serving,
            alias_version=self._alias(rollout, serving),
            decision=self._journal.decision(rollout),
            approval="none" if answer is None else answer.state,
            approved_by=None if answer is None else answer.person,
            silence=self._silence,
        )

    def _state(self, rollout: Rollout) -> ServingState | None:
        try:
            return self._serving(rollout).state()
        except UnavailableError as error:
            _log.warning("The model server gave no answer: %s", error)
            self._reached, self._silence = None, cut(str(error), MAX_SILENCE)
            return None

    def _serving(self, rollout: Rollout) -> ServingControl:
        if self._reached is None:
            self._reached = self._open_serving(rollout)
        return self._reached

    def _alias(self, rollout: Rollout, serving: ServingState | None) -> int | None:
        """Look the alias up where the plan needs it; never before the pointer is back."""
        progress = rollout.progress
        if progress.phase < len(rollout.phases) - 1 or rollout.state == "loading":
            return None
        if rollout.state == "rolling_back" and _is_pointer_next(rollout, serving):
            return None
        try:
            return self._aliases.version(rollout.model, rollout.alias)
        except UnavailableError:
            if rollout.state == "rolling_back" or not progress.has_moved_alias:
                raise
            return progress.aliased  # the registry's silence must not stop the watch

    def _answer(self, rollout: Rollout) -> Answer | None:
        approval_id = rollout.progress.approval_id
        is_asked = rollout.progress.paused_for == "approval" and approval_id is not None
        return self._approvals.answer(str(approval_id)) if is_asked else None

    def _perform(self, rollout: Rollout, action: do.Action) -> Rollout:
        match action:
            case do.Wait(seconds):
                self._wait(seconds)
                return rollout
            case do.MoveAlias():
                return self._move_alias(rollout, action)
            case (
                do.Load()
                | do.SetTraffic()
                | do.Swap()
                | do.Unload()
                | do.Retire()
                | do.KeepBaseline()
            ):
                return self._change_serving(rollout, action)
            case _:
                return self._journal.record(rollout, self._turn_after(rollout, action))

    def _turn_after(
        self,
        rollout: Rollout,
        action: Turn | do.Verify | do.Measure | do.AskApproval | do.Tell,
    ) -> Turn:
        """Do what leads to something new to record, and return that."""
        match action:
            case do.Verify(then):
                fault = self._aliases.verify(rollout.model, rollout.version)
                return then if fault is None else go_back(rollout, self._now(), fault)
            case do.Measure(gates):
                return self._watch.measure(rollout, gates, self._serving(rollout))
            case do.AskApproval():
                return self._asked(rollout)
            case do.Tell(then):
                return self._told(rollout, then)
            case Turn():
                return action

    def _told(self, rollout: Rollout, then: Turn) -> Turn:
        """Tell; what refuses the message for good does not keep the roll-out from its end.

        What its end leaves no use for is withdrawn before the end is recorded, so that a worker
        that dies in between is followed by one that does it.
        """
        if then.state in FINAL:
            self._approvals.withdraw(rollout, then.state)
        try:
            self._teller.tell(rollout, then.state)
        except UnavailableError:
            raise
        except OrchestratorError as error:
            _log.error("Roll-out %s: nobody could be told: %s", rollout.id, error)
            note = Note("message", f"the agents concerned could not be told: {error}")
            return Turn(then.state, then.changes, (*then.notes, note))
        return then

    def _asked(self, rollout: Rollout) -> Turn:
        try:
            approval_id = self._approvals.ask(rollout)
        except _REFUSALS as error:
            return go_back(rollout, self._now(), str(error))
        note = Note("decision", f"a person is asked to approve the switch: {approval_id}")
        return Turn("paused", {"approval_id": approval_id}, (note,))

    def _change_serving(
        self,
        rollout: Rollout,
        action: do.Load | do.SetTraffic | do.Swap | do.Unload | do.Retire | do.KeepBaseline,
    ) -> Rollout:
        """Change the model server; what it refuses leads back, silence is for the plan."""
        serving = self._serving(rollout)
        try:
            match action:
                case do.Load(version):
                    serving.load_green(version)
                case do.SetTraffic(traffic, generation):
                    serving.set_traffic(traffic, expected_generation=generation)
                case do.Swap(generation):
                    serving.swap(expected_generation=generation)
                case do.Unload(generation):
                    serving.unload_green(expected_generation=generation)
                case do.Retire(generation):
                    serving.retire(expected_generation=generation)
                case do.KeepBaseline():
                    return self._journal.record(
                        rollout, self._watch.keep_baseline(rollout, serving)
                    )
        except ConflictError:
            self._wait(RETRY_S)  # somebody else changed it since we looked
        except OrchestratorError as error:
            if isinstance(error, UnavailableError) and self._state(rollout) is None:
                return rollout
            return self._journal.record(rollout, self._refused(rollout, str(error)))
        return rollout

    def _refused(self, rollout: Rollout, reason: str) -> Turn:
        if rollout.state != "rolling_back":
            return go_back(rollout, self._now(), reason)
        what = "the old version cannot answer again"
        if rollout.from_version is None:
            what = "the version could not be let go"
        note = Note("pointer", f"{what}: {reason}")
        return Turn("rolling_back", {"pointer_refusal": reason}, (note,))

    def _move_alias(self, rollout: Rollout, action: do.MoveAlias) -> Rollout:
        try:
            self._aliases.move(rollout, action.way)
        except _REFUSALS as error:
            return self._alias_refused(rollout, error)
        self._conflict_since = None
        return self._journal.record(rollout, action.then)

    def _alias_refused(self, rollout: Rollout, error: OrchestratorError) -> Rollout:
        if rollout.state != "rolling_back":
            return self._journal.record(rollout, go_back(rollout, self._now(), str(error)))
        where = self._aliases.version(rollout.model, rollout.alias)
        if isinstance(error, ConflictError) and where == rollout.version and self._may_retry():
            self._wait(RETRY_S)  # it may be being moved at this moment
            return rollout
        if where == rollout.from_version:
            what = "was removed" if where is None else f"was moved back to {where}"
            note = Note("alias", f"@{rollout.alias} {what} by somebody else")
            return self._journal.record(rollout, Turn("rolling_back", {"aliased": where}, (note,)))
        note = Note("alias", f"@{rollout.alias} stays at {where}: {error}")
        turn = Turn("rolling_back", {"alias_refusal": str(error)}, (note,))
        return self._journal.record(rollout, turn)

    def _may_retry(self) -> bool:
        """Whether a conflict may still pass; one that lasts is somebody else's move."""
        if self._conflict_since is None:
            self._conflict_since = self._now()
        return self._now() - self._conflict_since < CONFLICT_LIMIT_S


def _is_pointer_next(rollout: Rollout, serving: ServingState | None) -> bool:
    """Whether who answers is still to be changed on the way back."""
    progress = rollout.progress
    if serving is None or progress.pointer_refusal is not None or progress.rollback_ms is not None:
        return False
    return rollout.from_version is not None or rollout.version in (serving.blue, progress.pointer)
