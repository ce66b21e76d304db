"""Tables of searches whose trials are kept in a database that several machines share."""

from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["study_files", "study_lines"]

study_lines = Table(
    "study_lines",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("place", String(128), primary_key=True),  # of the step in a pipeline, or empty
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 0, without a gap
    Column("line", Text, nullable=False),  # JSON, as the search's journal has it
)
study_files = Table(
    "study_files",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("place", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),  # below the study's folder
    Column("content", LargeBinary, nullable=False),
)
