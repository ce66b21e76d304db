"""Stores and infrastructure of one server, each behind a door of its own."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ml_orchestrator.agent_names import SHIPPED_AGENTS
from ml_orchestrator.app_doors.probing import close, describe, live_leases, waiting
from ml_orchestrator.app_doors.slots import Slots
from ml_orchestrator.doors import Door
from ml_orchestrator.memory.store import MemoryStore
from ml_orchestrator.messaging.mailbox import Mailbox
from ml_orchestrator.orchestration.connectors import Connector, Slot
from ml_orchestrator.services.unread_note import UnreadNote
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ml_orchestrator.memory.meaning import Meaning
    from ml_orchestrator.messaging.leases import LeaseBook
    from ml_orchestrator.orchestration._dbos.client import RunClient
    from ml_orchestrator.orchestration.events.thread import BusThread
    from ml_orchestrator.orchestration.monitors.desk import MonitorDesk
    from ml_orchestrator.orchestration.progress import ProgressStore
    from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
    from ml_orchestrator.registry.approvals import Approvals
    from ml_orchestrator.registry.desk import RegistryDesk
    from ml_orchestrator.registry.keys import Keyring
    from ml_orchestrator.registry.moves import MoveRequest
    from ml_orchestrator.storage.engine import Database

__all__ = ["Stores"]

STATE, HOME, REGISTRY = "state-database", "data-directory", "model-registry"


class Stores:
    """What is kept, and what moves it: databases, registry, runs, events."""

    def __init__(self, slots: Slots) -> None:
        self.make_request: Door[type[MoveRequest]] = Door(self._make_request)
        self._add_state(slots)
        self._add_models(slots)
        self._add_runs(slots)

    def _add_state(self, slots: Slots) -> None:
        """Add the state database and what agents keep in it."""
        self.database: Slot[Database] = slots.add(
            Connector(
                STATE, 5, self._database, describe, (HOME,), kind="store",
                distribution="sqlalchemy", close=close, is_light=True,
            )
        )  # fmt: skip
        self.memory: Slot[MemoryStore] = slots.add(
            Connector(
                "memory", 2, self._memory, describe, (STATE,), kind="store",
                takes=("memory_max_records",), is_light=True,
            )
        )  # fmt: skip
        self.mailbox: Slot[Mailbox] = slots.add(
            Connector(
                "messages", 4, self._mailbox, describe, (STATE,), kind="store",
                takes=(
                    "messages_per_minute", "messages_per_minute_to_one",
                    "urgent_messages_per_minute",
                ),
                is_light=True,
            )
        )  # fmt: skip
        self.leases: Slot[LeaseBook] = slots.add(
            Connector("leases", 4, self._leases, live_leases, (STATE,), is_light=True)
        )

    def _add_models(self, slots: Slots) -> None:
        """Add what knows of versions, and who may move them."""
        self.registry: Slot[RegistryDesk] = slots.add(
            Connector(
                REGISTRY, 1, self._registry, describe, (HOME, STATE), kind="store",
                distribution="mlflow",
            )
        )  # fmt: skip
        slots.add(
            Connector(
                "signing-key", 6, self._keyring, describe, (HOME,), distribution="cryptography"
            )
        )
        self.approvals: Slot[Approvals] = slots.add(
            Connector("approvals", 6, self._approvals, waiting, (STATE,))
        )
        self.rollouts: Slot[RolloutDesk] = slots.add(
            Connector("roll-outs", 1, self._rollouts, describe, (STATE, REGISTRY))
        )

    def _add_runs(self, slots: Slots) -> None:
        """Add what goes on by itself: runs, events, monitors."""
        self.runs: Slot[RunClient] = slots.add(
            Connector(
                "workflow-runs", 5, self._runs, describe, (HOME,), kind="store",
                takes=("worker_idle_s",), distribution="dbos", close=close,
            )
        )  # fmt: skip
        self.bus: Slot[BusThread] = slots.add(
            Connector(
                "event-bus", 5, self._bus, describe, (STATE,), takes=("events_keep_days",),
                close=close, is_light=True,
            )
        )  # fmt: skip
        self.progress: Slot[ProgressStore] = slots.add(
            Connector("progress", 5, self._progress, describe, (STATE,), is_light=True)
        )
        self.monitors: Slot[MonitorDesk] = slots.add(
            Connector("monitors", 4, self._monitors, describe, (STATE,))
        )

    def _database(self, settings: Settings) -> "Database":
        from ml_orchestrator.storage.engine import open_database

        return open_database(settings.state_url, settings.home)

    def _memory(self, settings: Settings) -> MemoryStore:
        from ml_orchestrator.memory._sql import SqlMemoryStore
        from ml_orchestrator.orchestration.announcing import announce_memory, outbox_of

        announce = announce_memory(outbox_of("server"))

        def changed(connection: "Connection", agent: str) -> None:
            announce(connection, agent)
            _note_unread(connection, agent)

        folder = settings.memory_embeddings
        return SqlMemoryStore(
            self.database(),
            changed=changed,
            max_records=settings.memory_max_records,
            meaning=None if folder is None else Door(partial(self._meaning, folder)),
        )

    def _meaning(self, folder: Path) -> "Meaning":
        from ml_orchestrator.memory._vectors import open_meaning

        return open_meaning(self.database(), folder.expanduser())

    def _mailbox(self, settings: Settings) -> Mailbox:
        from ml_orchestrator.messaging._quotas import quotas_of
        from ml_orchestrator.messaging._sql import SqlMailbox
        from ml_orchestrator.orchestration.announcing import MailAnnouncer, outbox_of

        quotas = quotas_of(settings)
        news = MailAnnouncer(outbox_of("server"), acted=_note_unread)
        return SqlMailbox(self.database(), shipped=SHIPPED_AGENTS, quotas=quotas, news=news)

    def _leases(self, _: Settings) -> "LeaseBook":
        from ml_orchestrator.messaging.leases import LeaseBook
        from ml_orchestrator.orchestration.announcing import announce_lease, outbox_of
        from ml_orchestrator.registry.names import check_alias, check_model

        return LeaseBook(
            self.database(),
            check_model=check_model,
            check_alias=check_alias,
            changed=announce_lease(outbox_of("server")),
        )

    def _registry(self, settings: Settings) -> "RegistryDesk":
        from ml_orchestrator.orchestration.desk import open_registry

        return open_registry(settings, self.database())

    def _make_request(self) -> "type[MoveRequest]":
        from ml_orchestrator.registry.moves import MoveRequest

        return MoveRequest

    def _keyring(self, settings: Settings) -> "Keyring":
        from ml_orchestrator.orchestration.people import open_keyring

        return open_keyring(settings)

    def _approvals(self, _: Settings) -> "Approvals":
        from ml_orchestrator.orchestration.people import open_approvals

        return open_approvals(self.database())

    def enter(self, act: str, actor: str, subject: str) -> None:
        """Enter something in the audit log that no other transaction enters."""
        from ml_orchestrator.storage.audit import audit

        self.database().write(lambda c: audit(c, act, actor=actor, subject=subject))

    def _rollouts(self, _: Settings) -> "RolloutDesk":
        from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk

        return RolloutDesk(self.database(), self.registry)

    def _runs(self, settings: Settings) -> "RunClient":
        from ml_orchestrator.orchestration._dbos.client import RunClient

        return RunClient(settings)

    def _bus(self, settings: Settings) -> "BusThread":
        from ml_orchestrator.orchestration.reactions import open_bus

        return open_bus(settings, self.database(), role="server")

    def _progress(self, _: Settings) -> "ProgressStore":
        from ml_orchestrator.orchestration.progress import ProgressStore

        return ProgressStore(self.database())

    def _monitors(self, settings: Settings) -> "MonitorDesk":
        from ml_orchestrator.orchestration.monitors.desk import MonitorDesk

        return MonitorDesk(settings, self.database())


def _note_unread(connection: "Connection", agent: str) -> None:
    """Count what waits for an agent in the transaction of its call, if that is to tell it."""
    from ml_orchestrator.messaging._reading import count_unread
    from ml_orchestrator.storage.engine import timestamp

    is_shipped, now = agent in SHIPPED_AGENTS, timestamp()
    UnreadNote.fill(agent, lambda: count_unread(connection, agent, shipped=is_shipped, now=now))
