"""Robust standard errors against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.robust_regression import robust_fit


def unequal(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = (rng.random((n, 3)) < 0.4).astype(float)
    groups = rng.integers(0, 40, n)
    outcome = columns @ [1.0, 0.0, -2.0] + rng.normal(size=n) * (1 + 3 * columns[:, 0])
    return columns, outcome + rng.normal(size=40)[groups], groups


def test_effects_and_hc3_errors_are_those_of_statsmodels() -> None:
    columns, outcome, _ = unequal(1)
    expected = sm.OLS(outcome, sm.add_constant(columns)).fit(cov_type="HC3")

    fit = robust_fit(columns, outcome)

    np.testing.assert_allclose(fit.effects, expected.params[1:], rtol=1e-10)
    np.testing.assert_allclose(fit.covariance, expected.cov_params()[1:, 1:], rtol=1e-9)
    np.testing.assert_allclose(fit.residuals, expected.resid, atol=1e-10)
    assert fit.freedom == 296


def test_errors_by_group_are_those_of_statsmodels() -> None:
    columns, outcome, groups = unequal(2)
    expected = sm.OLS(outcome, sm.add_constant(columns)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )

    fit = robust_fit(columns, outcome, groups)

    np.testing.assert_allclose(fit.errors, expected.bse[1:], rtol=1e-9)
    assert fit.freedom == 36


def test_a_column_made_of_others_and_too_few_rows_are_refused() -> None:
    columns, outcome, _ = unequal(3)
    with pytest.raises(InvalidInputError, match="made of the others"):
        robust_fit(np.column_stack([columns, columns[:, 0] + columns[:, 1]]), outcome)
    with pytest.raises(InvalidInputError, match="at least 5"):
        robust_fit(columns[:4], outcome[:4])
    with pytest.raises(InvalidInputError, match="two groups"):
        robust_fit(columns, outcome, np.zeros(300, dtype=np.int64))
