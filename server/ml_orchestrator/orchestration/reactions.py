"""What follows from an event by itself, and the bus of a process that sees to it.

Each reaction acts once for an event however often it is handed out: its key is the event's id.
"""

from collections.abc import Callable

from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.memory.models import Insight
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.orchestration.announcing import announce_memory, outbox_of
from ml_orchestrator.orchestration.events._connect import connect, source_of
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope
from ml_orchestrator.orchestration.events.kinds import SearchFinished
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database

__all__ = ["open_bus", "reactions"]

LEASE_S = 10.0
FEW = LimitRange(1, 1, 2)  # each writes to the one database


def open_bus(settings: Settings, database: Database, *, role: str) -> BusThread:
    """Start the bus of a process; with ``read-only`` it listens, and carries nothing out.

    Raises:
        UnavailableError: the state database cannot be used.
    """
    may_write = settings.mode == "operator"
    wanted = reactions(settings, database) if may_write else ()
    bus = EventBus(
        wanted,
        connect=lambda: connect(database, wanted, source=source_of(role), lease_s=LEASE_S),
        source=source_of(role),
        lease_s=LEASE_S,
        keep_days=settings.events_keep_days,
        may_write=may_write,
    )
    return BusThread(bus).start()


def reactions(settings: Settings, database: Database) -> tuple[Subscription, ...]:
    """Return the durable subscribers of every server and worker."""
    memory = SqlMemoryStore(
        database,
        max_records=settings.memory_max_records,
        changed=announce_memory(outbox_of("reaction")),
    )
    return (
        Subscription(
            "search-memories",
            (SearchFinished,),
            remember_search(memory),
            is_durable=True,
            limits=FEW,
            starts="beginning",
        ),
    )


def remember_search(memory: SqlMemoryStore) -> Callable[[Envelope], None]:
    """Return what lets the agent that asked for a search remember what it found."""

    def remember(envelope: Envelope) -> None:
        found = envelope.event
        if not isinstance(found, SearchFinished):
            return
        insight = Insight(
            area=found.area,
            insight=found.insight,
            impact=found.impact,
            confidence=found.confidence,
        )
        memory.save(
            found.actor,
            insights=[insight],
            idempotency_key=envelope.id,
            origin=Origin(tool="training_start", source=f"run {found.run_id}"),
        )

    return remember
