"""What a look at a specification finds: faults, and doubts."""

from dataclasses import dataclass, field

__all__ = ["Findings"]


@dataclass(slots=True)
class Findings:
    """What was found; with a fault nothing may start."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Name a fault, once."""
        if text not in self.faults:
            self.faults.append(text)

    def warn(self, text: str) -> None:
        """Name a doubt."""
        self.warnings.append(text)
