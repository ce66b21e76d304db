"""Drift tests: one per file, filed in `DRIFT_TESTS` by name."""

from ml_orchestrator.health.drift._base import DRIFT_TESTS, DriftTest, Measurement, Sample
from ml_orchestrator.health.drift.chi_square import chi_square, chi_square_known_reference
from ml_orchestrator.health.drift.jensen_shannon import jensen_shannon
from ml_orchestrator.health.drift.kolmogorov_smirnov import ks
from ml_orchestrator.health.drift.psi import psi
from ml_orchestrator.health.drift.wasserstein import wasserstein

__all__ = [
    "DRIFT_TESTS",
    "DriftTest",
    "Measurement",
    "Sample",
    "chi_square",
    "chi_square_known_reference",
    "jensen_shannon",
    "ks",
    "psi",
    "wasserstein",
]
