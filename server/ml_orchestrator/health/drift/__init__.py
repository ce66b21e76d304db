"""Drift tests: one per file, filed in `DRIFT_TESTS` by name."""

from ml_orchestrator.health.drift.anderson_darling import anderson_darling
from ml_orchestrator.health.drift.chi_square import chi_square, chi_square_known_reference
from ml_orchestrator.health.drift.contract import DRIFT_TESTS, DriftTest, Measurement, Sample
from ml_orchestrator.health.drift.cramer_von_mises import cramer_von_mises
from ml_orchestrator.health.drift.energy import energy
from ml_orchestrator.health.drift.g_test import g_test
from ml_orchestrator.health.drift.hellinger import hellinger
from ml_orchestrator.health.drift.jensen_shannon import jensen_shannon
from ml_orchestrator.health.drift.kolmogorov_smirnov import ks
from ml_orchestrator.health.drift.mmd import mmd
from ml_orchestrator.health.drift.psi import psi
from ml_orchestrator.health.drift.text import text
from ml_orchestrator.health.drift.total_variation import total_variation
from ml_orchestrator.health.drift.wasserstein import wasserstein

__all__ = [
    "DRIFT_TESTS",
    "DriftTest",
    "Measurement",
    "Sample",
    "anderson_darling",
    "chi_square",
    "chi_square_known_reference",
    "cramer_von_mises",
    "energy",
    "g_test",
    "hellinger",
    "jensen_shannon",
    "ks",
    "mmd",
    "psi",
    "text",
    "total_variation",
    "wasserstein",
]
