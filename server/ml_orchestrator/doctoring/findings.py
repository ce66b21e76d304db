"""What a check found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ml_orchestrator.settings import Settings

__all__ = ["Check", "Finding", "Patient", "fault", "fine", "note"]

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    A ``note`` may be meant and does not count as a fault. ``do`` is empty if all is well.
    """

    check: str
    state: State
    said: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation that is looked at, as the environment describes it.

    Args of the constructor:
        settings: Where things are.
        environ: The environment; of ``HOME`` and what Claude Code and OpenTelemetry know.
        port: A port that the HTTP transport is meant to use; None: its default, perhaps unused.
    """

    settings: Settings
    environ: Mapping[str, str]
    port: int | None = None

    @property
    def home(self) -> Path:
        """The data directory."""
        return self.settings.home


Check = Callable[[Patient], Iterator[Finding]]


def fine(check: str, said: str) -> Finding:
    """Return that something is well."""
    return Finding(check, "ok", said)


def note(check: str, said: str, do: str = "") -> Finding:
    """Return something worth knowing that may well be meant."""
    return Finding(check, "note", said, do)


def fault(check: str, said: str, do: str) -> Finding:
    """Return a fault and what to do about it."""
    return Finding(check, "fault", said, do)
