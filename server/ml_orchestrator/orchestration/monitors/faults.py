"""Faults that are collected so that whoever asked hears of all of them at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ml_orchestrator.errors import InvalidInputError, OrchestratorError

__all__ = ["Faults"]


@dataclass(slots=True)
class Faults:
    """What is wrong with a specification, and what is worth knowing though nothing is wrong."""

    found: list[OrchestratorError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep an expected error of the block instead of letting it out."""
        try:
            yield
        except OrchestratorError as error:
            self.found.append(error)

    def add(self, message: str) -> None:
        """Keep one more fault of what was given."""
        self.found.append(InvalidInputError(message))

    def refuse(self, what: str) -> None:
        """Raise what was found, if anything was: one as it is, several as one that names each.

        Raises:
            OrchestratorError: of the type that all of them have, else `InvalidInputError`.
        """
        by_text = {str(error): error for error in self.found}
        if not by_text:
            return
        if len(by_text) == 1:
            raise next(iter(by_text.values()))
        kinds = {type(error) for error in by_text.values()}
        kind = kinds.pop() if len(kinds) == 1 else InvalidInputError
        listed = " ".join(f"({i}) {text}" for i, text in enumerate(by_text, start=1))
        raise kind(f"{what}, for {len(by_text)} reasons: {listed}")
