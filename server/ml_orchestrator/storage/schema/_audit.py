"""What was decided and done to what others rely on, as a chain of hashes."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["audit_log"]

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3, ... without a gap
    Column("at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("act", String(32), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("details", Text, nullable=False),  # a JSON object
    Column("previous", String(64), nullable=False),  # digest of the entry before
    Column("digest", String(64), nullable=False),  # of this entry, which holds that
    Index("ix_audit_subject", "subject", "seq"),
)
