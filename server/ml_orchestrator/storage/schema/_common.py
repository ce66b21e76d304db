"""What all tables share, and those of no subject: the version, agents, repeated requests."""

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

__all__ = ["agents", "idempotency", "metadata", "schema_version"]

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("oldest_reader", Integer),  # the newest version that a release must know to go on
)

agents = Table(
    "agents",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("first_seen_at", String(32), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String(128), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("request_digest", String(64), nullable=False),
    Column("result", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)
