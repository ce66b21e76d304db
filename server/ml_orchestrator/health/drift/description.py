"""What changed in a column, in numbers and in words."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ml_orchestrator.health.drift.choice import Pair
from ml_orchestrator.health.models import CategoryChange, ColumnKind, NumericChange
from ml_orchestrator.health.text_models import TextDrift
from ml_orchestrator.numerics.binning import category_counts
from ml_orchestrator.numerics.middle import median
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["Change", "Sides", "category_changes", "describe", "numeric_change"]

MOST_CATEGORIES_SHOWN = 5
NOTABLE_MISSING_CHANGE = 0.05
Change: TypeAlias = NumericChange | tuple[CategoryChange, ...] | TextDrift


@dataclass(frozen=True, slots=True)
class Sides:
    """What is said of both sides of a column besides its test: values, and shares of rows."""

    column: str
    kind: ColumnKind
    n_reference: int
    n_current: int
    missing_share_reference: float
    missing_share_current: float

    @classmethod
    def of(cls, pair: Pair) -> "Sides":
        """Count a column."""
        before, after = pair.reference, pair.current
        return cls(
            column=before.column,
            kind=before.kind,
            n_reference=before.n_values,
            n_current=after.n_values,
            missing_share_reference=before.missing_share,
            missing_share_current=after.missing_share,
        )


def numeric_change(pair: Pair) -> NumericChange:
    """Return mean and median of both sides of a numeric column."""
    before, after = pair.reference.numbers, pair.current.numbers
    return NumericChange(
        reference_mean=float(np.mean(finite_sample(before, "reference"))),
        current_mean=float(np.mean(finite_sample(after, "current"))),
        reference_median=median(before),
        current_median=median(after),
    )


def category_changes(pair: Pair) -> tuple[CategoryChange, ...]:
    """Return the five categories whose share changed most, largest change first."""
    names, counts = category_counts(pair.reference.values.tolist(), pair.current.values.tolist())
    before, after = counts.reference_shares, counts.current_shares
    order = np.argsort(-np.abs(after - before), kind="stable")[:MOST_CATEGORIES_SHOWN]
    return tuple(
        CategoryChange(
            category=str(names[i]),
            reference_share=float(before[i]),
            current_share=float(after[i]),
        )
        for i in order
    )


def describe(sides: Sides, change: Change, *, is_drifted: bool, evidence: str) -> str:
    """Return one sentence: the verdict, what it rests on, and the direction."""
    verdict = "drifted" if is_drifted else "did not drift"
    said = f"{_in_words(change)}{_missing_in_words(sides)}".removeprefix("; ")
    return f"{sides.column!r} {verdict} ({evidence}){': ' if said else ''}{said}."


def _in_words(change: Change) -> str:
    if isinstance(change, TextDrift):
        return _texts_in_words(change)
    if isinstance(change, NumericChange):
        return (
            f"mean {change.reference_mean:.4g} to {change.current_mean:.4g}, "
            f"median {change.reference_median:.4g} to {change.current_median:.4g}"
        )
    return ", ".join(
        f"{c.category!r} {c.reference_share:.1%} to {c.current_share:.1%}" for c in change[:3]
    )


def _texts_in_words(change: TextDrift) -> str:
    """Say what is clearest; and the words that came and went."""
    clearest = change.aspects[0]
    said = [f"most of all {clearest.aspect} ({clearest.summary})"]
    for verb, words in (("came", change.came), ("went", change.went)):
        if words:
            said.append(f"{verb}: {', '.join(repr(w.word) for w in words[:3])}")
    return "; ".join(said)


def _missing_in_words(sides: Sides) -> str:
    before, after = sides.missing_share_reference, sides.missing_share_current
    if abs(after - before) < NOTABLE_MISSING_CHANGE:
        return ""
    return f"; missing values {before:.1%} to {after:.1%}"
