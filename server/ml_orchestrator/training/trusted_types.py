"""Types in a saved pipeline that skops does not trust by itself.

None of them runs code on loading: a tree's arrays, the description of a number format, and
our own reader of dates.
"""

__all__ = ["EXTRA_TRUSTED_TYPES", "LIBRARY_TYPES"]

LIBRARY_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
EXTRA_TRUSTED_TYPES = (*LIBRARY_TYPES, "ml_orchestrator.training.dates.DateParts")
