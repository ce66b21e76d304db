"""Tables of the state database, as SQLAlchemy Core sees them.

Times are ISO 8601 text in UTC with microseconds, so that they sort and read the same on
every database. Payloads are JSON text. The tables are made by ``storage.migrations``.
"""

from ml_orchestrator.storage.schema._audit import audit_log
from ml_orchestrator.storage.schema._common import (
    agents,
    idempotency,
    metadata,
    schema_version,
)
from ml_orchestrator.storage.schema._events import (
    event_consumers,
    event_cursors,
    event_deliveries,
    event_log,
)
from ml_orchestrator.storage.schema._learning import (
    learning_decisions,
    learning_feedback,
    run_progress,
    search_experience,
)
from ml_orchestrator.storage.schema._memory import (
    collaborations,
    memory_counts,
    memory_past,
    memory_records,
    memory_vectors,
    shared_context,
)
from ml_orchestrator.storage.schema._messages import (
    dead_letters,
    delegations,
    message_recipients,
    messages,
    resource_leases,
    unread_counts,
)
from ml_orchestrator.storage.schema._models import (
    alias_moves,
    approvals,
    deployment_events,
    deployment_outcomes,
    deployments,
)
from ml_orchestrator.storage.schema._monitors import alerts, monitor_looks, monitors
from ml_orchestrator.storage.schema._schedules import schedules
from ml_orchestrator.storage.schema._studies import study_files, study_lines
from ml_orchestrator.storage.schema._workers import (
    run_homes,
    step_holds,
    worker_leases,
    worker_notes,
)

__all__ = [
    "agents",
    "alerts",
    "alias_moves",
    "approvals",
    "audit_log",
    "collaborations",
    "dead_letters",
    "delegations",
    "deployment_events",
    "deployment_outcomes",
    "deployments",
    "event_consumers",
    "event_cursors",
    "event_deliveries",
    "event_log",
    "idempotency",
    "learning_decisions",
    "learning_feedback",
    "memory_counts",
    "memory_past",
    "memory_records",
    "memory_vectors",
    "message_recipients",
    "messages",
    "metadata",
    "monitor_looks",
    "monitors",
    "resource_leases",
    "run_homes",
    "run_progress",
    "schedules",
    "schema_version",
    "search_experience",
    "shared_context",
    "step_holds",
    "study_files",
    "study_lines",
    "unread_counts",
    "worker_leases",
    "worker_notes",
]
