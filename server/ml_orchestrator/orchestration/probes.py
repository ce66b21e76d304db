"""Probes that use what they report on, on data small enough to take no time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.training.clusters import check_cluster
from ml_orchestrator.training.trainers import TRAINERS, Problem

__all__ = ["probe_drift_tests", "probe_extension", "probe_training"]

N_ROWS = 100
PROMPT = "Summarise the text below, if possible, in a few words or so, please.\n{text}"


def probe_training(ray_address: str | None = None) -> str:
    """Fit every trainer of ours on a few rows and name them; what a trainer raises passes.

    Raises:
        InvalidInputError: trials are to run on Ray, at ``ray_address``, which is not installed.
    """
    if ray_address is not None:
        check_cluster(ray_address)
    for name in TRAINERS.ours:
        _fit(name)
    return f"{', '.join(TRAINERS.ours)} fit"


def _fit(name: str) -> str:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N_ROWS, 2))
    labels = (features[:, 0] > 0).astype(int)
    classes, numbers = Problem("classification", n_classes=2), Problem("regression")
    trainer = TRAINERS[name]
    with TRAINERS.calling(name):
        problem = classes if trainer.fits(classes) else numbers
        estimator = trainer.build(problem, trainer.first_params, seed=0, n_jobs=None)
        estimator.fit(features, labels).predict(features)
    return f"{name} fits"


def probe_drift_tests() -> str:
    """See a planted shift and no drift between equal samples, use every test, and name them."""
    sample = {"x": np.random.default_rng(0).normal(size=N_ROWS)}
    shifted = {"x": sample["x"] + 10}
    calm, moved = check_drift(sample, sample), check_drift(sample, shifted)
    if calm.is_drifted or not moved.is_drifted:
        raise ArithmeticError("the drift tests cannot tell a shift from none")
    for name in DRIFT_TESTS.ours:
        _compare(name)
    return f"{', '.join(DRIFT_TESTS.ours)} work"


def probe_extension(kind: str, name: str) -> str:
    """Load and use one entry that another package adds, and say what it did.

    Raises:
        UnavailableError: it cannot be loaded, or fails on small, sound input.
    """
    catalogue, use = _EXTENDED[kind]
    try:
        entry = catalogue[name]
    except NotFoundError as error:
        raise UnavailableError(catalogue.why_absent(name) or str(error)) from error
    return use(name) if use is not None else f"{name} is registered ({type(entry).__name__})"


def _compare(name: str) -> str:
    rng = np.random.default_rng(0)
    test = DRIFT_TESTS[name]
    if "numeric" in test.kinds:
        sample, moved = rng.normal(size=N_ROWS), rng.normal(size=N_ROWS) + 10
    elif "vectors" in test.kinds:
        sample, moved = rng.normal(size=(N_ROWS, 2)), rng.normal(size=(N_ROWS, 2)) + 10
    else:
        sample, moved = np.array(["a", "b"] * N_ROWS, dtype=object), np.array(["a"], dtype=object)
    report = check_drift({"x": sample}, {"x": moved}, tests=name)
    return f"{name} measures {report.columns[0].statistic} between samples that differ"


def _find(name: str) -> str:
    finding = RULES[name].applies(PROMPT)
    return f"{name} {'has' if finding else 'has not'} something to say of a prompt"


_EXTENDED: dict[str, tuple[Catalog[Any], Callable[[str], str] | None]] = {
    "trainers": (TRAINERS, _fit),
    "drift_tests": (DRIFT_TESTS, _compare),
    "rules": (RULES, _find),
    "steps": (STEPS, None),
    "workflows": (WORKFLOWS, None),
}
