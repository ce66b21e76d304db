"""What a worker began with, so that whoever would begin one otherwise is told by name what differs.

A worker keeps the settings, the variables and the code that it began with. Values are compared by
short digests: some are secrets, and the name is what is told.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from ml_orchestrator import __version__
from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration.notes import PLANS
from ml_orchestrator.orchestration.versions import PLAN_VERSION
from ml_orchestrator.settings import Settings

__all__ = ["beginning", "differences"]

# Where a worker is found, and what runs do not depend on.
_OF_NO_MATTER = frozenset({
    "home", "project_dir", "database_url", "mode", "log_level", "worker_idle_s",
    "messages_per_minute", "messages_per_minute_to_one", "urgent_messages_per_minute",
    "serving_log_rate", "serving_log_days", "serving_log_max_bytes",
})  # fmt: skip
_VARIABLES = {"CUDA_VISIBLE_DEVICES", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
_VARIABLE_PREFIXES = ("MLFLOW_", "OMP_", "OPENBLAS_", "MKL_", "POLARS_", "OTEL_")
_OF_MACHINE = frozenset({"python", "packages"})
_SETTING = "ML_ORCHESTRATOR_"
_INSTALLED = (".dist-info", ".egg-info")


def beginning(
    settings: Settings, salt: str, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what a worker that begins now would begin with: name and digest.

    The names are those of settings and variables, and ``release``, ``python`` (where the
    interpreter and its packages are) and ``packages`` (which are installed, in which version).
    In plain there is ``plans``: the version of the plans that it carries out.

    Args:
        settings: Of the process that asks.
        salt: What makes digests of one worker say nothing of another's, such as its name.
        environ: The variables of this process; of these only what a worker is given.
    """
    given = child_environment(settings, os.environ if environ is None else environ)
    values: dict[str, object] = {
        name: value for name, value in settings if name not in _OF_NO_MATTER
    }
    values |= {
        "data_roots": settings.roots,
        "tracking_uri": settings.mlflow_tracking_uri,
        "registry_uri": settings.mlflow_registry_uri,
        "release": __version__,
        "python": sys.prefix,
        "packages": _packages(),
    }
    values |= {name: value for name, value in given.items() if _matters(name)}
    digests = {name: _digest(salt, name, value) for name, value in values.items()}
    return {**digests, PLANS: PLAN_VERSION}


def differences(
    begun: Mapping[str, str], settings: Settings, salt: str, *, is_here: bool
) -> list[str]:
    """Return by name what a worker that begins now would begin with otherwise.

    A name that only one of the two releases knows counts as no difference. What says of a machine
    how it is counts only for a worker that ``is_here``.
    """
    now = beginning(settings, salt)
    known = {name for name in begun if name in now or _matters(name)}
    known |= {name for name in now if _matters(name)}
    return sorted(
        name
        for name in known - {PLANS}  # the release says it
        if begun.get(name) != now.get(name) and (is_here or not _is_of_machine(name))
    )


def _matters(name: str) -> bool:
    """Whether a variable may change what a step does."""
    if name.startswith(_SETTING):
        return False
    return name in _VARIABLES or name.startswith(_VARIABLE_PREFIXES)


def _is_of_machine(name: str) -> bool:
    return name in _OF_MACHINE or _matters(name)


def _packages() -> list[str]:
    """Return the packages that are installed, with their versions."""
    found: list[str] = []
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")):
            with suppress(OSError):
                entries = [entry.name for entry in Path(folder).iterdir()]
                found += [name for name in entries if name.endswith(_INSTALLED)]
    return sorted(found)


def _digest(salt: str, name: str, value: object) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return hashlib.sha256(f"{salt}\0{name}\0{plain!r}".encode()).hexdigest()[:8]
