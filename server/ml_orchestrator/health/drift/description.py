"""What changed in a column, in numbers and in words."""

import numpy as np

from ml_orchestrator.health.drift.choice import Pair
from ml_orchestrator.health.models import CategoryChange, NumericChange
from ml_orchestrator.health.text_models import TextDrift
from ml_orchestrator.numerics.binning import category_counts

__all__ = ["category_changes", "describe", "numeric_change"]

MOST_CATEGORIES_SHOWN = 5
NOTABLE_MISSING_CHANGE = 0.05


def numeric_change(pair: Pair) -> NumericChange:
    """Return mean and median of both sides of a numeric column."""
    before, after = pair.reference.values, pair.current.values
    return NumericChange(
        reference_mean=float(np.mean(before)),
        current_mean=float(np.mean(after)),
        reference_median=float(np.median(before)),
        current_median=float(np.median(after)),
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


def describe(
    pair: Pair,
    change: NumericChange | tuple[CategoryChange, ...] | TextDrift,
    *,
    is_drifted: bool,
    evidence: str,
) -> str:
    """Return one sentence: the verdict, what it rests on, and the direction."""
    verdict = "drifted" if is_drifted else "did not drift"
    said = f"{_in_words(change)}{_missing_in_words(pair)}".removeprefix("; ")
    return f"{pair.reference.column!r} {verdict} ({evidence}){': ' if said else ''}{said}."


def _in_words(change: NumericChange | tuple[CategoryChange, ...] | TextDrift) -> str:
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


def _missing_in_words(pair: Pair) -> str:
    before, after = pair.reference.missing_share, pair.current.missing_share
    if abs(after - before) < NOTABLE_MISSING_CHANGE:
        return ""
    return f"; missing values {before:.1%} to {after:.1%}"
