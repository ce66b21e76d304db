"""Tables of the workers that share a database, of what each is at, and of where runs have files."""

from sqlalchemy import Column, Float, Integer, String, Table, Text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["run_homes", "step_holds", "worker_leases", "worker_notes"]

worker_leases = Table(
    "worker_leases",
    metadata,
    Column("executor_id", String(64), primary_key=True),
    Column("home_id", String(64), nullable=False),  # of its data directory
    Column("machine", String(128), nullable=False),  # where its number names a process
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Float, nullable=False),  # seconds since the machine started
    Column("renewed_at", Float, nullable=False),  # epoch seconds by the database's clock
    Column("is_live", Integer, nullable=False),  # 0: about to leave
    Column("slot", String(200), unique=True),  # of the one that a server starts; else null
    Column("pool", String(64)),  # that it takes runs of beside those of its directory
    Column("plan_version", String(64)),  # of the plans that it carries out
)
worker_notes = Table(
    "worker_notes",
    metadata,
    Column("executor_id", String(64), primary_key=True),
    Column("began_with", Text, nullable=False),  # JSON: a digest by name
    Column("is_asked", Integer, nullable=False),  # 1: to leave
)
step_holds = Table(
    "step_holds",
    metadata,
    Column("key", String(255), primary_key=True),  # a step of a run
    Column("executor_id", String(64), nullable=False),  # who is at it
)
run_homes = Table(
    "run_homes",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("home_id", String(64), nullable=False),  # of the data directory with its files
    Column("place", Text, nullable=False),  # that directory and its host, for people
    Column("is_movable", Integer, nullable=False, server_default="0"),  # 1: the rest is in here
)
