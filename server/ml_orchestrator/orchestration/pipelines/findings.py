"""What a look at a specification finds: faults, and doubts."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Findings", "near"]


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


def near(name: str, known: Iterable[str]) -> str:
    """Return words that name the most similar of the known names; none if none is similar."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
