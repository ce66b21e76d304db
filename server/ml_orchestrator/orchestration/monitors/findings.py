"""What a monitor's checks found in one look."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Judgement"]


@dataclass(slots=True)
class Judgement:
    """What the checks found; ``limits`` is what was calibrated, to be kept for the next look."""

    n_checks: int = 0
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    limits: dict[str, Any] | None = None

    @property
    def is_bad(self) -> bool:
        """Whether any check found something."""
        return bool(self.findings)
