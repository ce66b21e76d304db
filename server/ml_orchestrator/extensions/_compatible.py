"""Whether a package was made for this release, by the range in its own metadata."""

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ml_orchestrator import __version__
from ml_orchestrator.extras import DISTRIBUTION

__all__ = ["misfit"]


def misfit(title: str, requires: Sequence[str]) -> str | None:
    """Return why a package's extensions are not loaded, or None if it was made for this release.

    Args:
        title: the package and its release, for the message.
        requires: what the package depends on, one requirement each.
    """
    ranges = [line.specifier for line in map(_read, requires) if line is not None]
    if not any(ranges):
        return (
            f"{title} does not say which releases it is made for. Its author adds a range, such "
            f"as {DISTRIBUTION}>={__version__}, to its dependencies."
        )
    for wanted in ranges:
        if not wanted.contains(__version__, prereleases=True):
            return (
                f"{title} is made for {DISTRIBUTION}{wanted}; this is {__version__}. Install a "
                "release of it that fits."
            )
    return None


def _read(line: str) -> Requirement | None:
    """Return a requirement of ours; others are for the installer."""
    try:
        wanted = Requirement(line)
    except InvalidRequirement:
        return None
    return wanted if canonicalize_name(wanted.name) == DISTRIBUTION else None
