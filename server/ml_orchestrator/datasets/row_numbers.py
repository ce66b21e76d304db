"""Whether values number or name rows, told from how seldom they repeat."""

import math

import polars as pl

from ml_orchestrator.datasets.kinds import MIN_ROWS_FOR_ID, reads_as_text

__all__ = ["MOST_REPEATED", "numbers_or_names_rows"]

MOST_REPEATED = 0.01  # of the rows: a few rows may stand twice
LEAST_LOG_ODDS = 9.5  # chance of 1 in 13,000; 20 numbers without a gap have it
LARGEST_WHOLE = 2.0**53  # beyond which floats skip whole numbers


def numbers_or_names_rows(column: pl.Series) -> bool:
    """Return whether a column only numbers or names its rows, with or without gaps.

    Text does where nearly no value comes twice, unless it is of several words. Whole numbers do
    where nearly none comes twice although they lie so close together that draws would repeat:
    of ``n`` draws from ``s`` neighbouring numbers ``n (n - 1) / (2 s)`` pairs are equal, and more
    if some numbers are likelier than others, so that a quantity looks like that by a chance of 1
    in 13,000 at most. Numbers whose gaps are so wide that this cannot be told are quantities.

    Args:
        column: normalised; nulls are passed over, and fewer than 20 values tell nothing.

    References:
        M. S. Klamkin, D. J. Newman, "Extensions of the birthday surprise", Journal of
        Combinatorial Theory 3 (1967), for likelier numbers. H. Chernoff, "A measure of asymptotic
        efficiency for tests of a hypothesis based on the sum of observations", Annals of
        Mathematical Statistics 23 (1952), for the bound on few repeats.

    >>> numbers_or_names_rows(pl.Series(range(1000, 1200, 2)))
    True
    >>> numbers_or_names_rows(pl.Series([30, 41, 30, 52] * 10))
    False
    """
    values = column.drop_nulls()
    if len(values) < MIN_ROWS_FOR_ID or not (_is_whole(values) or values.dtype == pl.String):
        return False
    n_repeated = len(values) - values.n_unique()
    if n_repeated > MOST_REPEATED * len(values):
        return False
    if values.dtype == pl.String:
        return not reads_as_text(values)
    return _log_odds(values, n_repeated) >= LEAST_LOG_ODDS


def _is_whole(values: pl.Series) -> bool:
    if values.dtype.is_integer():
        return True
    if not values.dtype.is_float() or not bool(values.is_finite().all()):
        return False
    is_whole = (values == values.round()) & (values.abs() < LARGEST_WHOLE)
    return bool(is_whole.all())


def _log_odds(values: pl.Series, n_repeated: int) -> float:
    """Return minus the logarithm of the largest chance that draws repeat so seldom."""
    span = int(values.max()) - int(values.min()) + 1  # type: ignore[arg-type]
    n_expected = len(values) * (len(values) - 1) / (2 * span)
    if n_repeated == 0:
        return n_expected
    if n_repeated >= n_expected:
        return 0.0
    return n_expected - n_repeated * (1 + math.log(n_expected / n_repeated))
