"""What a search for patterns is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_orchestrator.errors import InvalidInputError

__all__ = ["PatternSpec"]


@dataclass(frozen=True, slots=True)
class PatternSpec:
    """Which columns say what, and how strict the search is.

    Attributes:
        outcome: column of numbers, or of two values.
        features: columns to look for patterns in; all that are left if None.
        group: column that says which cases belong together; they stay in one part.
        time: column in whose order the parts follow each other; else they are drawn at random.
        sequence: column of events in order, ``a > b > c``.
        fdr: false share allowed among confirmed patterns.
        dependence: ``positive`` adjusts by Benjamini-Hochberg, ``any`` by Benjamini-Yekutieli.
        min_support: least share of the first part that holds a pattern.
        max_size: features in a set at most, 1 to 3.
        with_clusters: whether groups of similar cases are candidates too.
        seed: of the parts and the clusters.
    """

    outcome: str
    features: Sequence[str] | None = None
    group: str | None = None
    time: str | None = None
    sequence: str | None = None
    fdr: float = 0.1
    dependence: Literal["positive", "any"] = "positive"
    min_support: float = 0.04
    max_size: int = 3
    with_clusters: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if not 0 < self.fdr < 1:
            raise InvalidInputError(f"fdr must lie between 0 and 1; found {self.fdr}. Usual: 0.1.")
        if not 0.001 <= self.min_support < 0.5:
            raise InvalidInputError(
                f"min_support must be from 0.001 to below 0.5; found {self.min_support}."
            )
        if not 1 <= self.max_size <= 3:
            raise InvalidInputError(f"max_size must be 1, 2 or 3; found {self.max_size}.")
        if not 0 <= self.seed < 2**32:
            raise InvalidInputError(f"seed must be from 0 to 4294967295; found {self.seed}.")
        roles = [r for r in (self.outcome, self.group, self.time, self.sequence) if r is not None]
        if len(set(roles)) < len(roles):
            raise InvalidInputError(
                "outcome, group, time and sequence must be different columns; found "
                f"{', '.join(roles)}."
            )
