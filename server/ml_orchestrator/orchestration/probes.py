"""Probes that use what they report on, on data small enough to take no time."""

import numpy as np

from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.training.trainers import TRAINERS, Problem

__all__ = ["probe_drift_tests", "probe_training"]

N_ROWS = 100


def probe_training() -> str:
    """Fit every trainer on a few rows and name them; what a trainer raises passes."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N_ROWS, 2))
    labels = (features[:, 0] > 0).astype(int)
    classes, numbers = Problem("classification", n_classes=2), Problem("regression")
    for trainer in TRAINERS.values():
        problem = classes if trainer.fits(classes) else numbers
        estimator = trainer.build(problem, trainer.first_params, seed=0, n_jobs=None)
        estimator.fit(features, labels).predict(features)
    return f"{', '.join(TRAINERS)} fit"


def probe_drift_tests() -> str:
    """See a planted shift and no drift between equal samples; name the tests."""
    sample = {"x": np.random.default_rng(0).normal(size=N_ROWS)}
    shifted = {"x": sample["x"] + 10}
    calm, moved = check_drift(sample, sample), check_drift(sample, shifted)
    if calm.is_drifted or not moved.is_drifted:
        raise ArithmeticError("the drift tests cannot tell a shift from none")
    return f"{', '.join(DRIFT_TESTS)} work"
