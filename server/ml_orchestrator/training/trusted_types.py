"""Types in a saved pipeline that skops does not trust by itself.

None of them runs code on loading: the arrays of trees, a measure of distance, a solver's state,
the description of a number format, and our own few classes, which hold numbers and estimators.
"""

__all__ = ["EXTRA_TRUSTED_TYPES", "LIBRARY_TYPES"]

LIBRARY_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.model_selection._split.KFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
EXTRA_TRUSTED_TYPES = (
    *LIBRARY_TYPES,
    "ml_orchestrator.training.blend.BlendedClassifier",
    "ml_orchestrator.training.blend.BlendedRegressor",
    "ml_orchestrator.training.changes.ChangeFromLast",
    "ml_orchestrator.training.dates.DateParts",
    "ml_orchestrator.training.net_models.NetClassifier",
    "ml_orchestrator.training.net_models.NetRegressor",
    "ml_orchestrator.training.pair_features.PairFeatures",
    "ml_orchestrator.training.past.PastValues",
    "ml_orchestrator.training.residuals.LineThenTrees",
    "ml_orchestrator.training.screening.ShadowScreening",
    "ml_orchestrator.training.text_features.TextTopics",
)
