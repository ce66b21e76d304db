"""Is what runs here the right Python, with all packages, and what the settings ask for?"""

import importlib.util
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from ml_orchestrator import __version__
from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note
from ml_orchestrator.extras import DISTRIBUTION, pip_install
from ml_orchestrator.launcher.installing import NEWEST, OLDEST
from ml_orchestrator.telemetry.switch import read_switch

__all__ = ["check_extras", "check_packages", "check_python", "find_distribution"]

# Where it runs from a folder of sources, no metadata says what it needs.
_NEEDED = (
    "anyio", "croniter", "cryptography", "dbos", "filelock", "gepa", "jsonschema", "matplotlib",
    "mcp", "mlflow", "numpy", "opentelemetry", "optuna", "packaging", "pandas", "polars", "psutil",
    "pyarrow", "pydantic", "scipy", "sklearn", "skops", "sqlalchemy", "starlette",
    "threadpoolctl", "uvicorn", "yaml",
)  # fmt: skip
_RENEW = (
    "Install the packages of one release together: in the plug-in, remove its environment and "
    f"start a session; elsewhere, pip install --force-reinstall {DISTRIBUTION}, or make setup."
)


def check_python(patient: Patient) -> Iterator[Finding]:
    """Look at the version of Python."""
    found = sys.version_info[:3]
    said = f"Python {'.'.join(map(str, found))} at {sys.executable}"
    if OLDEST <= found[:2] <= NEWEST:
        yield fine("python", said)
    else:
        span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        yield fault("python", said, f"Install Python {span} and make the environment with it.")


def check_packages(patient: Patient) -> Iterator[Finding]:
    """Look at whether every package is there, in a version that fits this release."""
    faults = list(_faults_of_packages())
    for said in faults:
        yield fault("packages", said, _RENEW)
    if not faults:
        yield fine("packages", f"Release {__version__}, with all its packages.")


def _faults_of_packages() -> Iterator[str]:
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        yield f"Not installed: {', '.join(missing)}."
    try:
        installed = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return
    if installed != __version__:
        yield f"The code is release {__version__}, the environment was made for {installed}."
    if odd := list(_misfits()):
        yield f"Wrong versions: {'; '.join(odd)}."


def _misfits() -> Iterator[str]:
    for line in metadata.requires(DISTRIBUTION) or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield f"{wanted.name} is missing"
            continue
        if Version(found) not in wanted.specifier:
            yield f"{wanted.name} {found} instead of {wanted.specifier}"


def check_extras(patient: Patient) -> Iterator[Finding]:
    """Look at whether what the settings ask for is installed."""
    settings = patient.settings
    if settings.database_url is not None:
        yield from _extra("postgres", "psycopg", "ML_ORCHESTRATOR_DATABASE_URL is set")
    if settings.ray_address is not None:
        yield from _extra("ray", "ray", "ML_ORCHESTRATOR_RAY_ADDRESS is set")
    elif settings.ray_trials is not None:
        said = (
            f"ML_ORCHESTRATOR_RAY_TRIALS is {settings.ray_trials}, but no trial runs on Ray: "
            "ML_ORCHESTRATOR_RAY_ADDRESS is not set."
        )
        do = "Set the address, too (local is this machine), or unset ML_ORCHESTRATOR_RAY_TRIALS."
        yield note("extras", said, do)
    switch = read_switch(patient.environ)
    if switch.is_on:
        why = "The OTEL_ variables ask for telemetry"
        yield from _extra("otel", "opentelemetry-exporter-otlp-proto-http", why)
    for said in switch.faults:
        yield note("telemetry", said, "Change the variable, or live without.")
    for module in settings.plugins:
        if _is_there(module):
            yield fine("plug-ins", f"{module} can be imported.")
        else:
            said = f"ML_ORCHESTRATOR_PLUGINS names {module}, which cannot be found."
            yield fault("plug-ins", said, "Install it beside ml-orchestrator, or take it out.")


def _extra(extra: str, distribution: str, why: str) -> Iterator[Finding]:
    if (version := find_distribution(distribution)) is not None:
        yield fine("extras", f"{why}; {distribution} {version}.")
    else:
        yield fault("extras", f"{why}, but {distribution} is not installed.", pip_install(extra))


def find_distribution(name: str) -> str | None:
    """Return the version of a distribution that is installed; None if it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a package on the way to it is missing
        return False
