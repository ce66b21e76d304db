"""All that a pickle may name: numpy's constructors behind guards, and scikit-learn's classes.

Everything else is refused. A name on this list is a promise that building the thing, whatever
the arguments, runs no code of the file's choosing and takes no memory beyond the file's own.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct, scalar
from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]
from numpy.random import _pickle, bit_generator
from numpy.random.bit_generator import SeedSequence

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import IntegrityViolationError

__all__ = ["CALLABLES", "CLASSES", "NAMES", "canonical_name", "resolve"]

# What other releases and protocols 0 to 2 call the same things.
_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}

# Made empty, without arguments, then filled with their attributes.
CLASSES = frozenset(
    f"sklearn.{module} {name}"
    for module, names in {
        "_loss.link": "HalfLogitLink IdentityLink Interval LogitLink LogLink MultinomialLogit",
        "_loss.loss": "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss "
        "HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HuberLoss PinballLoss",
        "cluster._kmeans": "KMeans",
        "compose._column_transformer": "ColumnTransformer",
        "compose._target": "TransformedTargetRegressor",
        "decomposition._pca": "PCA",
        "decomposition._truncated_svd": "TruncatedSVD",
        "dummy": "DummyClassifier DummyRegressor",
        "ensemble._forest": "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier "
        "RandomForestRegressor",
        "ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
        "ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier "
        "HistGradientBoostingRegressor",
        "ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "ensemble._iforest": "IsolationForest",
        "ensemble._weight_boosting": "AdaBoostClassifier AdaBoostRegressor",
        "impute._base": "SimpleImputer",
        "linear_model._base": "LinearRegression",
        "linear_model._coordinate_descent": "ElasticNet Lasso",
        "linear_model._logistic": "LogisticRegression",
        "linear_model._quantile": "QuantileRegressor",
        "linear_model._ridge": "Ridge RidgeClassifier",
        "linear_model._stochastic_gradient": "SGDClassifier SGDRegressor",
        "model_selection._split": "KFold",
        "naive_bayes": "BernoulliNB GaussianNB MultinomialNB",
        "neighbors._classification": "KNeighborsClassifier",
        "neighbors._regression": "KNeighborsRegressor",
        "neural_network._multilayer_perceptron": "MLPClassifier MLPRegressor",
        "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
        "pipeline": "FeatureUnion Pipeline",
        "preprocessing._data": "MaxAbsScaler MinMaxScaler RobustScaler StandardScaler",
        "preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
        "preprocessing._label": "LabelBinarizer LabelEncoder",
        "preprocessing._target_encoder": "TargetEncoder",
        "svm._classes": "LinearSVC LinearSVR SVC SVR",
        "tree._classes": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier "
        "ExtraTreeRegressor",
    }.items()
    for name in names.split()
)
# Called with arguments, which only size or fill what is made.
_COMPILED = frozenset(
    {
        "sklearn._loss._loss CyAbsoluteError",
        "sklearn._loss._loss CyExponentialLoss",
        "sklearn._loss._loss CyHalfBinomialLoss",
        "sklearn._loss._loss CyHalfGammaLoss",
        "sklearn._loss._loss CyHalfMultinomialLoss",
        "sklearn._loss._loss CyHalfPoissonLoss",
        "sklearn._loss._loss CyHalfSquaredError",
        "sklearn._loss._loss CyHuberLoss",
        "sklearn._loss._loss CyPinballLoss",
        "sklearn.linear_model._sgd_fast Hinge",
        "sklearn.linear_model._sgd_fast ModifiedHuber",
        "sklearn.linear_model._sgd_fast SquaredHinge",
        "sklearn.tree._tree Tree",
    }
)
# Passed on as values, never called.
_VALUES = frozenset(
    {
        "builtins object", "numpy bool", "numpy float32", "numpy float64", "numpy int32",
        "numpy int64", "numpy ndarray", "numpy str_", "numpy uint8",
        "numpy.random._mt19937 MT19937", "numpy.random._pcg64 PCG64",
        "numpy.random._pcg64 PCG64DXSM", "numpy.random._philox Philox", "numpy.random._sfc64 SFC64",
        "numpy.random.bit_generator SeedSequence",
        "sklearn.metrics._dist_metrics EuclideanDistance64",
        "sklearn.metrics._dist_metrics ManhattanDistance64",
        "sklearn.neighbors._kd_tree KDTree",
    }
)  # fmt: skip


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise IntegrityViolationError(f"The pickle misuses {what}; refused.")


def _made_array(subtype: Any, shape: Any, code: Any) -> Any:
    _need(subtype is np.ndarray and shape == (0,) and code in (b"b", "b"), "an array's constructor")
    return _reconstruct(np.ndarray, (0,), b"b")


def _made_scalar(dtype: Any, content: Any) -> Any:
    is_plain = isinstance(dtype, np.dtype) and not dtype.hasobject and isinstance(content, bytes)
    _need(is_plain and len(content) == dtype.itemsize, "a number's constructor")
    return scalar(dtype, content)


def _made_from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    is_plain = isinstance(dtype, np.dtype) and not dtype.hasobject
    _need(is_plain and isinstance(content, bytes | bytearray), "an array's buffer")
    return _frombuffer(content, dtype, shape, order)


def _made_dtype(code: Any, align: Any = False, copy: Any = False) -> Any:
    _need(isinstance(code, str) and len(code) <= 16, "a number format")
    return np.dtype(code, bool(align), bool(copy))


def _made_object(kind: Any, base: Any, state: Any) -> Any:
    _need(isinstance(kind, type) and base is object and state is None, "copyreg")
    return object.__new__(kind)


def _made_bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    _need(isinstance(text, str) and encoding == "latin1", "an encoding")
    return bytes(text, "latin1")


def _made_empty_bytes() -> bytes:
    return b""


def _made_slice(*limits: Any) -> slice:
    _need(all(limit is None or isinstance(limit, int) for limit in limits), "a slice")
    return slice(*limits)


def _made_bit_generator(kind: Any = "MT19937") -> Any:
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    _need(name in _pickle.BitGenerators, "a random generator")
    make: Any = _pickle.__bit_generator_ctor
    return make(name)


def _made_random_state(generator: Any = "MT19937", *_: Any) -> Any:
    _need(isinstance(generator, np.random.BitGenerator), "a random generator")
    return _pickle.__randomstate_ctor(generator)


def _made_generator(generator: Any = "MT19937", *_: Any) -> Any:
    _need(isinstance(generator, np.random.BitGenerator), "a random generator")
    return _pickle.__generator_ctor(generator)


def _made_seed(kind: Any, checksum: Any, state: Any) -> Any:
    _need(kind is SeedSequence and state is None, "a seed")
    restore: Any = getattr(bit_generator, "__pyx_unpickle_SeedSequence")
    return restore(SeedSequence, checksum, None)


def _made_empty(kind: Any) -> Any:
    name = f"{getattr(kind, '__module__', '')} {getattr(kind, '__name__', '')}"
    _need(isinstance(kind, type) and name in _VALUES and name.startswith("sklearn."), "newObj")
    return kind.__new__(kind)


_GUARDED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "_codecs encode": _made_bytes,
        "builtins bytes": _made_empty_bytes,
        "builtins slice": _made_slice,
        "copyreg _reconstructor": _made_object,
        "numpy dtype": _made_dtype,
        "numpy._core.multiarray _reconstruct": _made_array,
        "numpy._core.multiarray scalar": _made_scalar,
        "numpy._core.numeric _frombuffer": _made_from_buffer,
        "numpy.random._pickle __bit_generator_ctor": _made_bit_generator,
        "numpy.random._pickle __generator_ctor": _made_generator,
        "numpy.random._pickle __randomstate_ctor": _made_random_state,
        "numpy.random.bit_generator __pyx_unpickle_SeedSequence": _made_seed,
        "sklearn.metrics._dist_metrics newObj": _made_empty,
        "sklearn.neighbors._kd_tree newObj": _made_empty,
    }
)
CALLABLES = frozenset(_GUARDED) | _COMPILED
NAMES = CALLABLES | CLASSES | _VALUES


def canonical_name(module: str, name: str) -> str:
    """Return ``module name`` as today's releases say it."""
    return f"{_MODULES.get(module, module)} {name}"


def resolve(module: str, name: str) -> Any:
    """Return what a pickle gets for a name: the thing itself, or its guarded form.

    Raises:
        IntegrityViolationError: the name is not on the list; its module is not imported.
    """
    full = canonical_name(module, name)
    if full not in NAMES:
        raise IntegrityViolationError(f"The pickle names {full.replace(' ', '.')!r}; refused.")
    if guarded := _GUARDED.get(full):
        return guarded
    place, _, attribute = full.partition(" ")
    return getattr(import_alone(place), attribute)
