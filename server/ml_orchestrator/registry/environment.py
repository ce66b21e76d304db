"""The environment a version was made in, and how it differs from this one.

MLflow writes ``requirements.txt`` and ``python_env.yaml`` into a model's directory; ``lifecycle``
adds the platform as a comment. All of it is covered by the manifest. It is read as data: nothing is
ever installed from it.
"""

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from ml_orchestrator.registry.models import Check
from ml_orchestrator.registry.policies import EnvironmentPolicy

__all__ = ["Difference", "Environment", "check_environment", "compare", "installed", "recorded"]

MAX_BYTES = 200_000
MAX_NAMED = 20
# MLflow adds itself; a model is loaded without it.
NOT_NEEDED = frozenset({"mlflow", "mlflow-skinny"})

_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==\s*([0-9][^\s;,]*))?")
_PYTHON = re.compile(r"^python: *'?([0-9][0-9.]*)", re.MULTILINE)
_PLATFORM = re.compile(r"^# platform: *([A-Za-z0-9_-]{1,32} [A-Za-z0-9_-]{1,32}) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Environment:
    """Python, platform and packages; a version of None is unknown, or not installed."""

    python: str | None
    platform: str | None
    packages: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; ``here`` is None where it is missing."""

    kind: Literal["missing", "newer_major", "other"]
    name: str
    recorded: str | None
    here: str | None

    def describe(self) -> str:
        """Return the difference in words."""
        return f"{self.name} {self.recorded or 'any'} recorded, {self.here or 'missing'} here"


def recorded(directory: Path) -> Environment:
    """Read the environment that a model directory records; what is not there is None or empty."""
    requirements = _text(directory / "requirements.txt")
    python = _PYTHON.search(_text(directory / "python_env.yaml"))
    where = _PLATFORM.search(requirements)
    return Environment(
        python=python and python.group(1),
        platform=where and where.group(1),
        packages=dict(_packages(requirements.splitlines())),
    )


def installed(names: Iterable[str]) -> Environment:
    """Return this environment, as far as ``names`` of packages go."""
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in names},
    )


def compare(then: Environment, here: Environment) -> tuple[Difference, ...]:
    """Return what differs, worst first; a patch release of Python does not count."""
    found = []
    for name, wanted in then.packages.items():
        have = here.packages.get(name)
        if have is None:
            found.append(Difference("missing", name, wanted, None))
        elif wanted is not None and wanted != have:
            found.append(Difference(_kind(wanted, have), name, wanted, have))
    if then.python and here.python and _minor(then.python) != _minor(here.python):
        found.append(
            Difference(_kind(then.python, here.python), "Python", then.python, here.python)
        )
    if then.platform and then.platform != here.platform:
        found.append(Difference("other", "platform", then.platform, here.platform))
    order = ("missing", "newer_major", "other")
    return tuple(sorted(found, key=lambda difference: order.index(difference.kind)))


def check_environment(
    directory: Path, policy: EnvironmentPolicy, *, here: Environment | None = None
) -> Check:
    """Compare what a model directory records with this environment, or with ``here``.

    Args:
        directory: A private copy of a version's files.
        policy: Which differences are refused.
        here: The environment to compare with; by default the one we run in.
    """
    then = recorded(directory)
    if not then.packages and then.python is None:
        return Check(name="environment", ok=True, detail="the version records no environment")
    found = compare(then, here or installed(then.packages))
    refused = [difference for difference in found if getattr(policy, difference.kind) == "refuse"]
    warned = [difference for difference in found if difference not in refused]
    parts = []
    if refused:
        parts.append(f"refused: {_named(refused)}; install what is recorded, or let it pass in "
                     "policies.toml [environment]")  # fmt: skip
    if warned:
        parts.append(f"differs, let pass: {_named(warned)}")
    detail = ". ".join(parts) or f"as recorded: Python {then.python}, {len(then.packages)} packages"
    return Check(name="environment", ok=not refused, detail=detail)


def _packages(lines: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    for line in lines:
        found = _PACKAGE.match(line.strip())
        if found and (name := _normal(found.group(1))) not in NOT_NEEDED:
            yield name, found.group(2)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _kind(wanted: str, have: str) -> Literal["newer_major", "other"]:
    return "other" if _major(wanted) == _major(have) else "newer_major"


def _major(version: str) -> str:
    return version.partition(".")[0]


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _named(differences: list[Difference]) -> str:
    shown = "; ".join(difference.describe() for difference in differences[:MAX_NAMED])
    more = len(differences) - MAX_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown
