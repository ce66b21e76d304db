"""Tables of runs and of what was learnt: progress, searches, choices and their judgement."""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ml_orchestrator.storage.schema._common import metadata

__all__ = ["learning_decisions", "learning_feedback", "run_progress", "search_experience"]

run_progress = Table(
    "run_progress",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("step", String(64), primary_key=True),
    Column("fraction", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
)

search_experience = Table(
    "search_experience",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("agent", String(64), nullable=False),
    Column("task", String(32), nullable=False),
    Column("dataset_digest", String(64), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("score", Text, nullable=False),  # a float, as Python writes it
    Column("n_trials", Integer, nullable=False),
    Column("meta_features", Text, nullable=False),
    Column("trainer", String(128), nullable=False),
    Column("params", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("leaders", Text),  # a list; none of what was stored before there were any
    Index("ix_experience_task", "task", "seq"),
)

learning_decisions = Table(
    "learning_decisions",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("agent", String(64), nullable=False),
    Column("grouped_as", String(64), nullable=False),
    Column("context", Text, nullable=False),  # a list of numbers
    Column("options", Text, nullable=False),  # rules and propensity of each
    Column("chosen", String(512), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("policy", String(32), nullable=False),
    Column("policy_version", String(32), nullable=False),
    Column("floor", Float, nullable=False),
    Column("n_judged", Integer, nullable=False),
    Column("decided_at", String(32), nullable=False),
)

learning_feedback = Table(
    "learning_feedback",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("decision_seq", Integer, ForeignKey("learning_decisions.seq"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("verdict", String(16)),
    Column("reward", Float, nullable=False),  # 0 to 1
    Column("agent", String(64), nullable=False),
    Column("given_at", String(32), nullable=False),
    UniqueConstraint("decision_seq", "kind"),
)
