"""Every drift kernel says what it does with what data are like.

This is a lint of docstrings: what they say is held by the tests of each kernel.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from ml_orchestrator.numerics.anderson_darling import anderson_darling
from ml_orchestrator.numerics.chi_square import chi_square_fit, chi_square_homogeneity
from ml_orchestrator.numerics.cramer_von_mises import cramer_von_mises
from ml_orchestrator.numerics.energy import energy_distance
from ml_orchestrator.numerics.g_test import g_test_homogeneity
from ml_orchestrator.numerics.hellinger import hellinger
from ml_orchestrator.numerics.jensen_shannon import jensen_shannon
from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov
from ml_orchestrator.numerics.mmd import maximum_mean_discrepancy
from ml_orchestrator.numerics.psi import population_stability_index
from ml_orchestrator.numerics.total_variation import total_variation
from ml_orchestrator.numerics.wasserstein import wasserstein

Kernel = Callable[..., Any]
OF_SAMPLES: list[Kernel] = [
    anderson_darling,
    cramer_von_mises,
    energy_distance,
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    wasserstein,
]
OF_CATEGORIES: list[Kernel] = [
    chi_square_fit,
    chi_square_homogeneity,
    g_test_homogeneity,
    hellinger,
    jensen_shannon,
    population_stability_index,
    total_variation,
]
EVERY = ("missing values", r"\bties\b", "sizes", "symmetric", "references:")


@pytest.mark.parametrize("kernel", OF_SAMPLES, ids=lambda kernel: kernel.__name__)
def test_a_kernel_of_samples_states_its_edges(kernel: Kernel) -> None:
    said = str(kernel.__doc__).lower()
    assert [word for word in (*EVERY, "constant") if not re.search(word, said)] == []


@pytest.mark.parametrize("kernel", OF_CATEGORIES, ids=lambda kernel: kernel.__name__)
def test_a_kernel_of_categories_states_its_edges(kernel: Kernel) -> None:
    said = str(kernel.__doc__).lower()
    assert [word for word in (*EVERY, "unseen") if not re.search(word, said)] == []
    assert "constant" in said or "one category in all" in said
