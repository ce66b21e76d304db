"""Tables of known truth, drawn from a fixed seed."""

from datetime import date, timedelta

import numpy as np
import polars as pl

__all__ = ["customer_churn", "daily_demand", "friedman1"]


def friedman1() -> pl.DataFrame:
    """Return 1,000 rows of Friedman's first function with unit noise.

    ``y = 10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4 + e``; ``x5`` to ``x9`` are noise.
    The variance of ``e`` is 1, so no model can have a root mean square error below 1.

    Reference: J. Friedman, Multivariate adaptive regression splines, 1991.
    """
    rng = np.random.default_rng(1991)
    x = rng.uniform(size=(1_000, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y += 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=len(x))
    return pl.DataFrame({**{f"x{i}": x[:, i] for i in range(10)}, "y": y})


def customer_churn() -> pl.DataFrame:
    """Return 4,000 customers with every kind of column, missing values and a known truth.

    The logit of ``churned`` is ``-1.2 + 1.6 [monthly contract] - 0.04 tenure_months
    + 0.9 [has_complained] + 0.02 (monthly_fee - 60)``; ``region`` and ``signup_date`` beyond
    the tenure it implies do not matter. Values are missing at random: a tenth of the fees and
    a twentieth of the contracts.
    """
    rng = np.random.default_rng(2_024)
    n_rows = 4_000
    tenure = rng.integers(0, 60, n_rows)
    contract = rng.choice(["monthly", "yearly", "two-year"], n_rows, p=[0.55, 0.3, 0.15])
    complained = rng.random(n_rows) < 0.25
    fee = np.round(rng.normal(60, 15, n_rows).clip(15), 2)
    logit = -1.2 + 1.6 * (contract == "monthly") - 0.04 * tenure
    logit += 0.9 * complained + 0.02 * (fee - 60)
    churned = rng.random(n_rows) < 1 / (1 + np.exp(-logit))
    days = tenure * 30 + rng.integers(0, 30, n_rows)
    frame = pl.DataFrame(
        {
            "signup_date": [date(2024, 1, 1) - timedelta(days=int(d)) for d in days],
            "tenure_months": tenure,
            "contract": contract,
            "region": rng.choice(["north", "south", "east", "west"], n_rows),
            "has_complained": complained,
            "monthly_fee": fee,
            "churned": np.where(churned, "yes", "no"),
        }
    )
    no_fee, no_contract = rng.random(n_rows) < 0.1, rng.random(n_rows) < 0.05
    return frame.with_columns(
        monthly_fee=pl.when(pl.Series(no_fee)).then(None).otherwise(pl.col("monthly_fee")),
        contract=pl.when(pl.Series(no_contract)).then(None).otherwise(pl.col("contract")),
    )


def daily_demand() -> pl.DataFrame:
    """Return 1,460 days of demand in time order, whose price response changes on day 1,095.

    ``demand = 200 + 0.03 day + 30 sin(2 pi day / 365.25) + 25 [weekend] - b price + e`` with
    ``b = 4`` in the first three years and ``b = 9`` in the fourth; ``e`` has deviation 5. A
    model of the first years is wrong about the fourth: concept drift of known place and size.
    """
    rng = np.random.default_rng(365)
    day = np.arange(1_460)
    dates = [date(2020, 1, 1) + timedelta(days=int(d)) for d in day]
    is_weekend = np.array([d.weekday() >= 5 for d in dates])
    price = np.round(rng.uniform(5, 15, len(day)), 2)
    slope = np.where(day < 1_095, 4.0, 9.0)
    demand = 200 + 0.03 * day + 30 * np.sin(2 * np.pi * day / 365.25) + 25 * is_weekend
    demand += -slope * price + rng.normal(0, 5, len(day))
    return pl.DataFrame(
        {"date": dates, "price": price, "is_weekend": is_weekend, "demand": np.round(demand, 2)}
    )
