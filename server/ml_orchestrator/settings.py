"""Settings, read once: argument, then environment, then default."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of, formed
from ml_orchestrator.logins import check_login
from ml_orchestrator.variables import PREFIX, from_environment, to_environment

__all__ = ["DEFAULT_PORT", "Mode", "PromptPolicy", "Settings"]

DEFAULT_PORT = 8642  # of the HTTP transport
SQLITE = "sqlite:///"
POSTGRES = "postgresql+psycopg://"
RAY_ADDRESS = re.compile(r"local|(ray://)?[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}")
# Addresses that MLflow opens here: a database, whose login has no other place, or files.
_OPENED_HERE = re.compile(r"(?i)(postgresql|mysql|mssql)[a-z0-9_+]*://|(sqlite|file):")
Mode = Literal["read-only", "operator"]
PromptPolicy = Literal["thompson", "kl_ucb", "lin_ucb", "epsilon_greedy", "uniform"]


class Settings(BaseModel):
    """Where things are and what is allowed. Frozen; every field has an environment variable.

    The variable of a field is ``ML_ORCHESTRATOR_`` and its name in capitals; the two MLflow
    addresses also honour ``MLFLOW_TRACKING_URI`` and ``MLFLOW_REGISTRY_URI``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Annotated[Path, Field(description="Data directory of this project.")]
    project_dir: Annotated[Path, Field(description="The project the agents work in.")]
    data_roots: Annotated[
        tuple[Path, ...],
        Field(
            description="Folders data sets may be read from, separated like PATH; "
            "the project directory when empty."
        ),
    ] = ()
    mode: Annotated[
        Mode,
        Field(
            description="read-only: only reading tools exist, and pasted Python only reads; "
            "operator: all of them."
        ),
    ] = "operator"
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="Postgres for memory, messages, alias history and runs, as "
            "postgresql+psycopg://user:password@host/database; files in home if unset."
        ),
    ] = None
    tracking_uri: Annotated[
        str | None,
        Field(
            repr=False,
            description="MLflow tracking address, a server's without a login "
            "(MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD); mlflow.db in home if unset.",
        ),
    ] = None
    registry_uri: Annotated[
        str | None,
        Field(
            repr=False,
            description="MLflow registry address, alike; the tracking address if unset.",
        ),
    ] = None
    signing_key: Annotated[
        Path | None,
        Field(
            description="Private key (PEM, EC P-256, mode 0600) that signs registered models; "
            "one made in home/keys if unset."
        ),
    ] = None
    allow_pickle: Annotated[
        bool,
        Field(
            description="Let models in pickle format through if every opcode and name in them "
            "is on our list."
        ),
    ] = False
    trusted_types: Annotated[
        tuple[
            Annotated[
                str, formed(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "must be package.module.Class")
            ],
            ...,
        ],
        Field(
            description="Types of other packages that a model may hold, as package.module.Class, "
            "by comma; loading one runs code of its package."
        ),
    ] = ()
    max_data_bytes: Annotated[
        int,
        Field(
            ge=1_000,
            description="Largest data file that is read whole, in bytes; larger ones are sampled.",
        ),
    ] = 2_000_000_000
    memory_max_records: Annotated[
        int,
        Field(
            ge=10,
            le=10_000_000,
            description="Records of one kind an agent remembers, at least 10; beyond, the oldest "
            "and least useful go.",
        ),
    ] = 100_000
    memory_embeddings: Annotated[
        Path | None,
        Field(
            description="Folder of a model2vec model, so that memory_search also finds what is "
            "worded otherwise; needs the extra embeddings. None: by words alone."
        ),
    ] = None
    messages_per_minute: Annotated[
        int, Field(ge=1, le=1_000_000, description="Messages one agent may send within 60 s.")
    ] = 600
    messages_per_minute_to_one: Annotated[
        int, Field(ge=1, le=1_000_000, description="Of these, to one other agent.")
    ] = 120
    urgent_messages_per_minute: Annotated[
        int, Field(ge=1, le=1_000_000, description="Of these, urgent ones.")
    ] = 20
    events_keep_days: Annotated[
        float,
        Field(gt=0, le=3_650, description="Events are kept so long, and until they are handled."),
    ] = 7.0
    runs_keep_days: Annotated[
        float,
        Field(
            ge=1,
            le=3_650,
            description="Finished runs are kept so long, with their files; a run that registered "
            "a version keeps its record.",
        ),
    ] = 90.0
    scheduled_keep_days: Annotated[
        float,
        Field(
            ge=1,
            le=3_650,
            description="The same for looks of monitors and for runs that a schedule started.",
        ),
    ] = 30.0
    runs_keep_least: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="So many runs of each workflow are kept however old they are, the newest; "
            "and so many looks of each monitor.",
        ),
    ] = 20
    worker_pool: Annotated[
        Annotated[
            str,
            formed(
                r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}",
                "must be 1 to 40 letters, digits, _ . and -, the first a letter or digit",
            ),
        ]
        | None,
        Field(
            description="Name of a pool: data directories that share a Postgres and name the same "
            "one take one another's runs. None: each takes its own.",
        ),
    ] = None
    ray_address: Annotated[
        str | None,
        Field(
            description="Where trials of a search run, several at once: local for a Ray on the "
            "worker's machine, host:port of a cluster that it is part of, ray://host:10001 of any "
            "other; needs the extra ray. None: one after the other, in the run's process.",
        ),
    ] = None
    ray_trials: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000,
            description="Trials at once there. None: one for each processor it has at the start.",
        ),
    ] = None
    worker_idle_s: Annotated[
        float, Field(ge=1, le=86_400, description="A worker without work exits after this, in s.")
    ] = 300.0
    lease_ttl_s: Annotated[
        float,
        Field(ge=0.5, le=600, description="A worker silent for this long counts as dead, in s."),
    ] = 5.0
    prompt_endpoint: Annotated[
        str | None,
        Field(
            description="Address of a model that speaks OpenAI's chat protocol, as "
            "https://host/v1, for prompt_submit by_endpoint; its key is read from "
            "ML_ORCHESTRATOR_PROMPT_KEY and goes to this host only. None: off."
        ),
    ] = None
    prompt_model: Annotated[
        str | None, Field(description="Name of the model to ask for there.")
    ] = None
    prompt_policy: Annotated[
        PromptPolicy,
        Field(
            description="How prompt_select chooses among candidates: by their chance of being "
            "best (thompson), the highest mean (kl_ucb) or linear reward (lin_ucb) that is "
            "possible, the highest linear reward nine times in ten (epsilon_greedy), or any alike "
            "(uniform)."
        ),
    ] = "thompson"
    serving_log_rate: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of the requests to a model server that are kept, with inputs and "
            "predictions, for monitors; 0: none.",
        ),
    ] = 0.0
    serving_log_days: Annotated[
        float, Field(gt=0, le=3_650, description="How long they are kept.")
    ] = 30.0
    serving_log_max_bytes: Annotated[
        int,
        Field(ge=100_000, description="Most of them of one model, in bytes; the oldest go first."),
    ] = 1_000_000_000
    plugins: Annotated[
        tuple[str, ...],
        Field(description="Python modules imported at start that register entries, by comma."),
    ] = ()
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        Field(
            description="Level of the log on standard error; commands that a person types show "
            "warnings and above where it is INFO."
        ),
    ] = "INFO"

    @field_validator("home", "project_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("signing_key")
    @classmethod
    def _absolute_key(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @field_validator("data_roots")
    @classmethod
    def _absolute_roots(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser().absolute() for path in paths)

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(POSTGRES):
            raise ValueError(f"must begin with {POSTGRES} (SQLite is used when it is unset)")
        if url is not None:
            check_login(url.get_secret_value())
        return url

    @field_validator("worker_pool")
    @classmethod
    def _pool_of_something(cls, pool: str | None, info: ValidationInfo) -> str | None:
        """Refuse a pool of data directories that share nothing."""
        if pool is not None and info.data.get("database_url", True) is None:
            raise ValueError(
                f"runs of this data directory are in a file of its own, so nobody shares {pool!r} "
                f"with it. Set {PREFIX}DATABASE_URL, too, or leave the pool away"
            )
        return pool

    @field_validator("ray_address")
    @classmethod
    def _ray(cls, address: str | None) -> str | None:
        if address is not None and not RAY_ADDRESS.fullmatch(address):
            raise ValueError(
                "must be local, host:port or ray://host:port; a token goes into the file that "
                "RAY_AUTH_TOKEN_PATH names"
            )
        return address

    @field_validator("tracking_uri", "registry_uri")
    @classmethod
    def _without_login(cls, uri: str | None) -> str | None:
        """Refuse the login of a server: MLflow quotes its address whenever it does not answer."""
        opened_here = _OPENED_HERE.match(uri or "")
        if opened_here and opened_here[1] and uri:
            check_login(uri)
        if uri and not opened_here and "://" in uri and "@" in uri:
            raise ValueError(
                "must hold no login (nor any other @): set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        return uri

    @field_validator("tracking_uri", "registry_uri")
    @classmethod
    def _absolute_uri(cls, uri: str | None) -> str | None:
        """Make the file of a SQLite address absolute: the worker has another directory."""
        if uri is None or not uri.startswith(SQLITE):
            return uri
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: Any) -> "Settings":
        """Combine arguments, environment and defaults.

        Raises:
            InvalidInputError: a value is out of range; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values = {
            **from_environment(environ, cls.model_fields),
            **{k: v for k, v in given.items() if v is not None},
        }
        project = Path(values.setdefault("project_dir", environ.get("CLAUDE_PROJECT_DIR") or "."))
        values.setdefault("home", project / ".ml-orchestrator")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = faults_of(
                {**each, "loc": (f"{PREFIX}{each['loc'][0]}".upper(),)} for each in error.errors()
            )
            raise InvalidInputError(f"Settings cannot be used: {faults}.") from error

    def with_values(self, values: Mapping[str, Any]) -> "Settings":
        """Return these settings with some values replaced.

        Raises:
            InvalidInputError: a value is out of range; the message names the field.
        """
        try:
            return type(self).model_validate({**dict(self), **values})
        except ValidationError as error:
            faults = faults_of(error.errors())
            raise InvalidInputError(f"Settings cannot be used: {faults}.") from error

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders data sets may be read from, resolved."""
        return tuple(p.expanduser().resolve() for p in self.data_roots or (self.project_dir,))

    @property
    def state_url(self) -> str:
        """SQLAlchemy address of the state database, its password in clear."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"{SQLITE}{self.home / 'state.db'}"

    @property
    def workflows_url(self) -> str:
        """Address of the workflow engine's database, its password in clear."""
        if self.database_url is not None:
            return self.state_url
        return f"sqlite:///{self.home / 'workflows.db'}"

    @property
    def mlflow_tracking_uri(self) -> str:
        """MLflow tracking address."""
        return self.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def mlflow_registry_uri(self) -> str:
        """MLflow registry address."""
        return self.registry_uri or self.mlflow_tracking_uri

    def to_environment(self) -> dict[str, str]:
        """Return the variables that make a child process read these same settings."""
        return to_environment(self)
