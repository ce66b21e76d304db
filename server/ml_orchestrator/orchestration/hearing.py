"""A model server hears of moves of its alias, whichever process made them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ml_orchestrator.orchestration.events._connect import connect, source_of
from ml_orchestrator.orchestration.events.bus import EventBus
from ml_orchestrator.orchestration.events.definition import Envelope
from ml_orchestrator.orchestration.events.kinds import AliasMoved, RolloutChanged
from ml_orchestrator.orchestration.events.limits import LimitRange
from ml_orchestrator.orchestration.events.retrying import Retrying
from ml_orchestrator.orchestration.events.subscription import Subscription
from ml_orchestrator.orchestration.events.thread import BusThread
from ml_orchestrator.storage.engine import Database

__all__ = ["hearing_of_moves"]

LOAD_S = 600.0  # a version that is followed may take long to load
RETRYING = Retrying(most_attempts=5, first_s=0.2, longest_s=5.0)


@contextmanager
def hearing_of_moves(database: Database, model: str, look: Callable[[], object]) -> Iterator[None]:
    """Call ``look`` whenever an alias of ``model`` has moved or a roll-out of it is further.

    It is called in a thread of its own, one call at a time; what passes is tried again, and the
    server's own looking now and then finds what is missed.
    """

    def heard(envelope: Envelope) -> None:
        moved = envelope.event
        if isinstance(moved, AliasMoved | RolloutChanged) and moved.model == model:
            look()

    follow = Subscription(
        "follow-alias",
        (AliasMoved, RolloutChanged),
        heard,
        room=64,
        limits=LimitRange(1, 1, 1),
        retrying=RETRYING,
        timeout_s=LOAD_S,
    )
    bus = EventBus(
        [follow],
        connect=lambda: connect(database, [follow], source=source_of("serving"), lease_s=10.0),
        may_write=False,
    )
    thread = BusThread(bus).start()
    try:
        yield
    finally:
        thread.close()
