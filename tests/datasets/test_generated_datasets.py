"""The generated tables follow the truth that they announce."""

import numpy as np
import polars as pl

from ml_orchestrator.datasets.generated import customer_churn, daily_demand, friedman1


def test_what_friedmans_function_leaves_over_is_unit_noise() -> None:
    frame = friedman1()
    x = frame.drop("y").to_numpy()
    known = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    rest = frame["y"].to_numpy() - known - 10 * x[:, 3] - 5 * x[:, 4]

    # 1,000 draws: the standard errors of mean and deviation are 0.032 and 0.022; 4 of each.
    assert abs(rest.mean()) < 0.13
    assert abs(rest.std() - 1) < 0.09


def test_churn_follows_its_logit() -> None:
    frame = customer_churn().drop_nulls()
    logit = (
        -1.2
        + 1.6 * (frame["contract"] == "monthly").cast(pl.Float64)
        - 0.04 * frame["tenure_months"]
        + 0.9 * frame["has_complained"].cast(pl.Float64)
        + 0.02 * (frame["monthly_fee"] - 60)
    ).to_numpy()
    chance = 1 / (1 + np.exp(-logit))
    churned = (frame["churned"] == "yes").to_numpy()

    for low, high in [(0.0, 0.15), (0.15, 0.35), (0.35, 1.0)]:
        rows = (chance >= low) & (chance < high)
        error = 4 * np.sqrt(chance[rows].mean() / rows.sum())
        assert abs(churned[rows].mean() - chance[rows].mean()) < error


def test_the_effect_of_price_changes_on_the_announced_day() -> None:
    frame = daily_demand()
    slopes = [
        np.polyfit(part["price"].to_numpy(), part["demand"].to_numpy(), 1)[0]
        for part in (frame.head(1_095), frame.tail(365))
    ]

    # Season and weekend spread demand by 25 beside a price spread of 2.9: errors 0.3 and 0.5.
    assert abs(slopes[0] + 4) < 1.2
    assert abs(slopes[1] + 9) < 2.0
