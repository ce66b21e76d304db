"""What the steps that pipelines use take and give. Light: read when a pipeline is checked."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.records import Record
from ml_orchestrator.registry.names import check_alias, check_model
from ml_orchestrator.training.models import TrainingSpec

__all__ = [
    "CONTENT",
    "AliasInputs",
    "AliasOutput",
    "BestInputs",
    "BestOutput",
    "DriftInputs",
    "DriftOutput",
    "EvaluateInputs",
    "EvaluateOutput",
    "MessageInputs",
    "MessageOutput",
    "ProfileInputs",
    "ProfileOutput",
    "RegisterInputs",
    "RegisterOutput",
    "RequireInputs",
    "RequireOutput",
    "RollOutInputs",
    "RollOutOutput",
    "SourcePath",
    "TrainInputs",
    "TrainOutput",
    "VerifyInputs",
    "VerifyOutput",
]

CONTENT = "content"
"""Marks an input that names a file: for a cache, its content counts and not its name alone."""

SourcePath: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=1_000, description="builtin:NAME, or a data file's path."),
    CONTENT,
]
Model: TypeAlias = Annotated[
    str, AfterValidator(check_model), Field(description="Name of a registered model.")
]
Version: TypeAlias = Annotated[int, Field(ge=1, description="Number of its version.")]
Types: TypeAlias = Annotated[
    dict[str, ColumnType],
    Field(max_length=500, description="Columns read otherwise than their values tell, or ignored."),
]


class ProfileInputs(Record):
    """Which data to describe."""

    source: SourcePath
    target: Annotated[str | None, Field(max_length=200)] = None
    column_types: Types = {}


class ProfileOutput(Record):
    """What the data hold."""

    n_rows: int
    n_columns: int
    duplicate_rows: int
    target: str | None
    task: str | None
    digest: Annotated[str, Field(description="SHA-256 of the content.")]
    n_leakage_suspects: int
    warnings: list[str]


class DriftInputs(Record):
    """What to compare with what."""

    reference: SourcePath
    current: SourcePath
    column_types: Types = {}
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    share_threshold: Annotated[float, Field(gt=0, le=1)] = 0.5


class DriftOutput(Record):
    """Whether the data drifted."""

    is_drifted: bool
    drifted_columns: list[str]
    share_drifted: float
    summary: str


class TrainInputs(TrainingSpec):
    """What to train on, as training_start takes it; nothing is registered."""

    source: SourcePath


class TrainOutput(Record):
    """The trained model and what it is worth on rows it never saw."""

    trained: Annotated[str, Field(description="Where it lies; register takes it.")]
    source: str
    trainer: str
    metric: str
    higher_is_better: bool
    score: Annotated[float, Field(description="Held out if the metric is, else cross-validated.")]
    cv_score: float
    holdout: dict[str, float]
    holdout_score: Annotated[
        float | None, Field(description="On held-out rows; null if the metric has none there.")
    ] = None
    baseline: dict[str, float]
    baseline_score: Annotated[
        float | None, Field(description="Of the baseline, in the same metric; null if it has none.")
    ] = None
    dataset_digest: str
    seconds: float


class BestInputs(Record):
    """From which to take the best."""

    candidates: Annotated[list[dict[str, Any]], Field(min_length=1)]
    by: Annotated[str, Field(min_length=1, description="A number that each has.")] = "score"
    higher_is_better: bool = True


class BestOutput(Record):
    """The best, and which of them it was."""

    index: int
    best: dict[str, Any]


class RequireInputs(Record):
    """A number, and where it must lie."""

    value: Annotated[float | None, Field(description="The step fails if it is null.")]
    at_least: float | None = None
    at_most: float | None = None
    why: Annotated[str, Field(max_length=500)] = ""


class RequireOutput(Record):
    """The number, which lies there."""

    value: float


class RegisterInputs(Record):
    """What to register, and as what."""

    trained: Annotated[str, Field(min_length=1, max_length=300)]
    model: Model


class RegisterOutput(Record):
    """The registered version."""

    model: str
    version: int
    mlflow_run_id: str
    manifest_digest: str | None


class VerifyInputs(Record):
    """Which version to verify."""

    model: Model
    version: Version


class VerifyOutput(Record):
    """The version, which is what was registered."""

    model: str
    version: int
    n_checks: int
    manifest_digest: str | None


class EvaluateInputs(Record):
    """Which version to score, on which rows."""

    model: Model
    version: Version
    source: SourcePath
    target: Annotated[str | None, Field(max_length=200)] = None
    column_types: Types = {}


class EvaluateOutput(Record):
    """What it is worth there."""

    model: str
    version: int
    n_rows: int
    scores: dict[str, float]
    intervals: Annotated[dict[str, list[float]], Field(description="95 % bootstrap.")]


class AliasInputs(Record):
    """Which alias to point where; its rules hold."""

    model: Model
    version: Version
    alias: Annotated[str, AfterValidator(check_alias)] = "challenger"


class AliasOutput(Record):
    """Where the alias points now, and pointed before."""

    model: str
    version: int
    alias: str
    previous_version: int | None


class RollOutInputs(Record):
    """Which version to bring before users, and how; see deployment_start."""

    model: Model
    version: Version
    alias: Annotated[str, AfterValidator(check_alias)] = "champion"
    spec: dict[str, Any] = {}
    reason: Annotated[str, Field(min_length=1, max_length=1_000)] = "A pipeline wants it."


class RollOutOutput(Record):
    """How it ended; anything but promoted fails the step."""

    rollout_id: str
    state: str
    reason: str | None


class MessageInputs(Record):
    """What to tell whom."""

    to: Annotated[list[str], Field(min_length=1, max_length=20, description="Agents.")]
    content: Annotated[str, Field(min_length=1, max_length=10_000)]
    message_type: str = "insight"
    priority: Literal["low", "medium", "high", "urgent"] = "medium"


class MessageOutput(Record):
    """The message on its way."""

    message_id: str
    recipients: list[str]
