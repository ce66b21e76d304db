"""Models in skops format, loaded with our own list of what they may create."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.modelfiles.archive import DAMAGE, check_archive

__all__ = ["TRUSTED_TYPES", "check_types", "load_skops"]

# Besides these, skops 0.16 trusts what numpy, scipy and scikit-learn estimators consist of.
TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.model_selection._split.KFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
)


def check_types(path: Path, *, extra_trusted: Sequence[str] = ()) -> str:
    """Return that a checked archive creates only types we trust; nothing is created.

    Raises:
        IntegrityViolationError: it would create another type, named in the message.
    """
    try:
        named = set(skops.io.get_untrusted_types(file=path))
    except DAMAGE as error:
        raise _damaged(error) from error
    if unknown := named - {*TRUSTED_TYPES, *extra_trusted}:
        raise _untrusted(unknown)
    return f"{len(named)} types beyond those of skops, all on our list"


def load_skops(path: Path, *, extra_trusted: Sequence[str] = ()) -> Any:
    """Return the estimator in ``path``.

    Raises:
        IntegrityViolationError: not a plain archive, too large when unpacked, damaged, or it
            would create a type that we do not trust; no code of the file has run.
    """
    check_archive(path)
    try:
        return skops.io.load(path, trusted=[*TRUSTED_TYPES, *extra_trusted])
    except UntrustedTypesFoundException as error:
        check_types(path, extra_trusted=extra_trusted)
        raise _damaged(error) from error
    except DAMAGE as error:
        raise _damaged(error) from error


def _untrusted(names: set[str]) -> IntegrityViolationError:
    return IntegrityViolationError(
        f"The model would create types that are not trusted: {', '.join(sorted(names)[:10])}. "
        "It was not loaded. If you know the package that they are from, let its operator name them "
        "in ML_ORCHESTRATOR_TRUSTED_TYPES."
    )


def _damaged(error: Exception) -> IntegrityViolationError:
    return IntegrityViolationError(
        f"The model file is damaged or made by another release ({type(error).__name__})."
    )
