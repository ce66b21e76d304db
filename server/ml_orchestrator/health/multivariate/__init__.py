"""Drift of columns together: tests that see changes no single column shows."""

from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows, TogetherTest
from ml_orchestrator.health.multivariate.domain_classifier import domain_classifier
from ml_orchestrator.health.multivariate.mmd import mmd
from ml_orchestrator.health.multivariate.reconstruction import reconstruction

__all__ = [
    "TOGETHER_TESTS",
    "Found",
    "Rows",
    "TogetherTest",
    "domain_classifier",
    "mmd",
    "reconstruction",
]
