"""Adjusted p values against scipy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.multiple_testing import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
)

P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 1.0]), min_size=1, max_size=30)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(P_VALUES)
def test_benjamini_hochberg_equals_scipys(p_values: list[float]) -> None:
    expected = false_discovery_control(p_values)
    np.testing.assert_allclose(benjamini_hochberg(p_values), expected, rtol=0, atol=1e-12)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(P_VALUES)
def test_benjamini_yekutieli_equals_scipys(p_values: list[float]) -> None:
    expected = false_discovery_control(p_values, method="by")
    np.testing.assert_allclose(benjamini_yekutieli(p_values), expected, rtol=0, atol=1e-12)


# A call of statsmodels 0.15 takes 50 ms.
@settings(derandomize=True, max_examples=20, deadline=None)
@given(P_VALUES)
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(p_values), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("adjust", [benjamini_hochberg, benjamini_yekutieli, holm])
def test_no_p_values_give_none(adjust: object) -> None:
    assert callable(adjust)
    assert adjust([]).size == 0


@pytest.mark.parametrize("bad", [[0.5, np.nan], [-0.1], [1.2], [[0.5]]])
def test_what_is_not_a_p_value_is_refused(bad: list[float]) -> None:
    for adjust in (benjamini_hochberg, benjamini_yekutieli, holm):
        with pytest.raises(InvalidInputError, match=r"lie in 0\.\.1"):
            adjust(bad)
