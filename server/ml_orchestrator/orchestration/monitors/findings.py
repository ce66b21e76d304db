"""What a monitor's checks found in one look."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Judgement"]


@dataclass(slots=True)
class Judgement:
    """What the checks found.

    Attributes:
        n_checks: checks that could judge.
        n_open: checks that were asked for and could not judge; a remark says why.
        findings: what is bad, one sentence each.
        remarks: what else to know, one sentence each.
        limits: what was calibrated, to be kept for the next look.
        subjects: what is bad, named alike in every look, each with its sentence.
    """

    n_checks: int = 0
    n_open: int = 0
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    limits: dict[str, Any] | None = None
    subjects: dict[str, str] = field(default_factory=dict)

    def find(self, subject: str, said: str) -> None:
        """Keep a finding under what it is about."""
        self.findings.append(said)
        self.subjects[subject] = said

    @property
    def is_bad(self) -> bool:
        """Whether any check found something."""
        return bool(self.findings)
