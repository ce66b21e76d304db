"""The events of this system. Names say the subject and what happened to it."""

from typing import Literal

from ml_orchestrator.orchestration.events.definition import Event, Priority, event

__all__ = [
    "AlertOpened",
    "AlertResolved",
    "AliasMoved",
    "DeliveryFailed",
    "DriftFound",
    "EventsReplayed",
    "EventsShed",
    "LeaseChanged",
    "LetterBuried",
    "MemoryChanged",
    "MessageSent",
    "MessagesAcknowledged",
    "RolloutChanged",
    "RunCancelled",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "SearchFinished",
]


@event("run.started", about="run:{run_id}")
class RunStarted(Event):
    """A worker has begun with a run."""

    run_id: str
    workflow: str
    actor: str


@event("run.finished", about="run:{run_id}", priority=Priority.HIGH)
class RunFinished(Event):
    """A run has ended well; ``stopped_because`` says why steps were left out, if any were."""

    run_id: str
    workflow: str
    actor: str
    stopped_because: str | None = None


@event("run.failed", about="run:{run_id}", priority=Priority.HIGH)
class RunFailed(Event):
    """A run has ended with an error of its step."""

    run_id: str
    workflow: str
    actor: str
    error: str


@event("run.cancelled", about="run:{run_id}", priority=Priority.HIGH)
class RunCancelled(Event):
    """A run was cancelled."""

    run_id: str
    workflow: str
    actor: str


@event("search.finished", about="run:{run_id}")
class SearchFinished(Event):
    """A hyperparameter search is over, and this is what its agent learns from it."""

    run_id: str
    actor: str
    area: str
    insight: str
    impact: Literal["low", "medium", "high"]
    confidence: float


@event("alias.moved", about="alias:{model}@{alias}", priority=Priority.HIGH)
class AliasMoved(Event):
    """An alias points elsewhere; None is unset. ``is_observed``: another MLflow client did it."""

    model: str
    alias: str
    from_version: int | None
    to_version: int | None
    actor: str
    move_id: str
    is_observed: bool = False


@event("rollout.changed", about="rollout:{rollout_id}", priority=Priority.HIGH)
class RolloutChanged(Event):
    """A roll-out is in another state, or has paused once more."""

    rollout_id: str
    model: str
    alias: str
    version: int
    state: str
    actor: str
    n_pauses: int = 0


@event("alert.opened", about="alert:{monitor}", priority=Priority.URGENT)
class AlertOpened(Event):
    """A monitor found something, or nothing to look at; once for each episode."""

    alert_id: str
    monitor: str
    owner: str
    kind: str
    summary: str


@event("alert.resolved", about="alert:{monitor}", priority=Priority.HIGH)
class AlertResolved(Event):
    """What a monitor had found is over."""

    alert_id: str
    monitor: str
    owner: str


@event("drift.found", about="drift:{reference}")
class DriftFound(Event):
    """Two samples were compared and differ; ``columns`` are at most the first twenty."""

    reference: str
    current: str
    share_drifted: float
    columns: tuple[str, ...]
    model: str | None = None


@event("message.sent", about="thread:{thread_id}")
class MessageSent(Event):
    """A message waits for its readers; its text stays in the mailbox."""

    message_id: str
    thread_id: str
    from_agent: str
    readers: tuple[str, ...]
    expires_at: str | None = None


@event("message.acknowledged", about="inbox:{agent}", priority=Priority.LOW)
class MessagesAcknowledged(Event):
    """An agent has dealt with messages."""

    agent: str
    threads: tuple[str, ...]


@event("letter.buried", about="dead-letter:{from_agent}", priority=Priority.LOW)
class LetterBuried(Event):
    """A message was sent to nobody that is known."""

    from_agent: str


@event("memory.changed", about="memory:{agent}", priority=Priority.LOW)
class MemoryChanged(Event):
    """An agent's memory holds something else than before."""

    agent: str


@event("lease.changed", about="lease:{resource}", priority=Priority.LOW)
class LeaseChanged(Event):
    """An advisory lease was taken, renewed or given back; ``holder`` None is given back."""

    resource: str
    holder: str | None
    expires_at: str


@event("events.shed", about="subscriber:{subscriber}", priority=Priority.HIGH)
class EventsShed(Event):
    """A subscriber could not keep up, so events were left out; how many since the last notice."""

    subscriber: str
    n_low: int
    n_normal: int
    n_high: int
    n_urgent: int


@event("events.replayed", about="subscriber:{subscriber}", priority=Priority.HIGH)
class EventsReplayed(Event):
    """A person lets a subscriber try dead letters again, or have events again."""

    subscriber: str
    n: int


@event("events.dead", about="subscriber:{subscriber}", priority=Priority.HIGH)
class DeliveryFailed(Event):
    """A delivery was given up; ``ml-orchestrator events dead`` lists it."""

    subscriber: str
    event_id: str
    event_name: str
    error: str
