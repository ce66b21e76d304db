"""Limits calibrated on the reference: false alarms at the nominal rate, and shifts are seen."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.monitors.calibration import (
    Limits,
    When,
    chunk_size,
    excess,
    limits_of,
)
from ml_orchestrator.health.monitors.stretches import Stretch, stretch_of, stretches_of

N_ROWS = 200
Table = dict[str, NDArray[Any]]


def drawn(rng: np.random.Generator, n_rows: int, *, shift: float = 0.0) -> Table:
    """Return a skewed, a heavy-tailed and a normal column, two of them correlated, and text."""
    base = rng.normal(shift, 1.0, n_rows)
    plan = rng.choice(["a", "b", "c"], n_rows, p=[0.6, 0.3, 0.1])
    return {
        "age": base,
        "income": np.exp(base + rng.normal(0, 0.5, n_rows)),
        "delay": rng.standard_t(3, n_rows),
        "plan": plan.astype(object),
    }


def calibrated(rate: float) -> tuple[Table, Limits]:
    reference = drawn(np.random.default_rng(1), 4_000)
    size = chunk_size(N_ROWS, 4_000)
    return reference, limits_of(reference, size, columns=list(reference), rate=rate)


def is_bad(reference: Table, current: Table, limits: Limits) -> bool:
    return any(found.is_beyond for found in excess(reference, current, limits).values())


def test_unchanged_data_cross_the_limit_no_more_often_than_promised() -> None:
    rate, n_looks = 0.05, 300
    reference, limits = calibrated(rate)
    rng = np.random.default_rng(2)

    n_bad = sum(is_bad(reference, drawn(rng, N_ROWS), limits) for _ in range(n_looks))

    # Binomial(300, 0.05): 15 with a deviation of 3.8; there is one reference, which adds to it
    assert n_bad <= 15 + 4 * 3.8


def test_a_shift_is_seen_in_the_column_that_has_it() -> None:
    reference, limits = calibrated(0.01)
    current = drawn(np.random.default_rng(3), N_ROWS)
    current["delay"] = current["delay"] + 1.0

    shares = excess(reference, current, limits)

    assert [name for name, found in shares.items() if found.is_beyond] == ["delay"]


def test_half_a_deviation_in_one_column_is_nearly_always_seen() -> None:
    reference, limits = calibrated(0.01)
    rng = np.random.default_rng(4)
    looks = [drawn(rng, N_ROWS) for _ in range(40)]
    for look in looks:
        look["age"] = look["age"] + 0.5

    assert sum(is_bad(reference, look, limits) for look in looks) >= 38


def test_a_constant_column_that_moves_at_all_is_beyond_its_limit() -> None:
    rng = np.random.default_rng(5)
    reference = {"age": rng.normal(size=500), "version": np.full(500, 3.0)}
    limits = limits_of(reference, 100, columns=["age", "version"], rate=0.05)
    same = {"age": rng.normal(size=120), "version": np.full(120, 3.0)}

    assert excess(reference, same, limits)["version"].share == 0
    same["version"][0] = 4.0
    assert excess(reference, same, limits)["version"].share == np.inf


def notes(rng: np.random.Generator, n_rows: int, words: list[str]) -> NDArray[Any]:
    return np.array([" ".join(rng.choice(words, 8)) for _ in range(n_rows)], dtype=object)


WORDS = [f"word{i}" for i in range(40)]
MIXED = ["age", "note", "embedding", "id"]


def mixed(seed: int, n_rows: int) -> Table:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(size=n_rows),
        "note": notes(rng, n_rows, WORDS),
        "embedding": rng.normal(size=(n_rows, 8)),
        "id": np.array([f"id-{value}" for value in rng.integers(10**12, size=n_rows)], object),
    }


@pytest.mark.parametrize("changed", ["note", "embedding", "id"])
def test_texts_vectors_and_identifiers_are_seen_beside_calibrated_columns(changed: str) -> None:
    reference, current = mixed(6, 400), mixed(7, 120)
    limits = limits_of(reference, chunk_size(120, 400), columns=MIXED, rate=0.01)
    assert limits.tests == {
        "age": "wasserstein",
        "note": "text",
        "embedding": "mmd",
        "id": "text",
    }
    assert not is_bad(reference, current, limits)
    rng = np.random.default_rng(8)
    other: Table = {
        "note": notes(rng, 120, [f"other{i}" for i in range(40)]),
        "embedding": current["embedding"] + 1.0,
        "id": np.array([f"{value:x}" for value in rng.integers(10**12, size=120)], object),
    }

    shares = excess(reference, {**current, changed: other[changed]}, limits)

    assert [name for name, found in shares.items() if found.is_beyond] == [changed]


def test_texts_alone_need_no_resamples_and_keep_the_whole_rate() -> None:
    reference = mixed(9, 200)
    limits = limits_of(reference, 60, columns=["note"], rate=0.01)

    assert (limits.n_resamples, limits.own_rate) == (0, 0.01)


def test_a_test_that_cannot_be_calibrated_on_a_column_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'id' cannot be calibrated by jensen_shannon"):
        limits_of(mixed(10, 200), 60, columns=["id"], rate=0.05, test="jensen_shannon")


def test_a_rate_that_no_p_value_reaches_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"'note' has 0.0005 of the false_alarm_rate"):
        limits_of(mixed(11, 200), 60, columns=["age", "note"], rate=0.001)


def test_a_reference_of_a_few_rows_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="19 rows to draw chunks from"):
        limits_of({"x": np.arange(19.0)}, 5, columns=["x"], rate=0.05)


DAY_S, A_DAY = 86_400.0, 50


def days(rng: np.random.Generator, n_days: int) -> tuple[Table, NDArray[np.float64]]:
    """Return rows of days from a Monday on, of which the weekend is unlike the rest."""
    day = np.repeat(np.arange(n_days), A_DAY)
    times = np.sort(day * DAY_S + rng.integers(0, 86_400, day.size))
    is_weekend = np.floor(times / DAY_S) % 7 >= 5
    plan = np.where(rng.random(day.size) < np.where(is_weekend, 0.7, 0.2), "plus", "basic")
    return {
        "visits": rng.normal(np.where(is_weekend, 12.0, 10.0), 1.0),
        "wait": rng.exponential(1.0, day.size),
        "plan": plan.astype(object),
    }, times


def shares_bad(limits: Limits, reference: Table, rng: np.random.Generator, n_days: int) -> float:
    looks, times = days(rng, n_days)
    day = np.floor(times / DAY_S)
    bad = [
        is_bad(reference, {name: column[day == i] for name, column in looks.items()}, limits)
        for i in range(n_days)
    ]
    return float(np.mean(bad))


def test_days_of_a_weekly_cycle_cross_limits_of_stretches_about_as_often_as_promised() -> None:
    rate, n_looks = 0.05, 280
    reference, times = days(np.random.default_rng(20), 140)
    look = stretch_of(np.array([0.0, DAY_S - 1]), is_time=True)
    assert look is not None
    size = chunk_size(A_DAY, len(times))
    given: dict[str, Any] = {"columns": list(reference), "rate": rate}
    of_rows = limits_of(reference, size, **given)
    of_days = limits_of(reference, size, **given, when=When(times, look))

    assert (of_rows.n_stretches, of_days.n_stretches) == (0, 140)
    # Every weekend of unchanged data is beyond what rows drawn at random show: two days of seven
    assert shares_bad(of_rows, reference, np.random.default_rng(21), n_looks) > 0.25
    # Binomial(280, 0.05) has a deviation of 0.013; a limit from 140 days one of 0.018
    found = shares_bad(of_days, reference, np.random.default_rng(21), n_looks)
    assert 0.005 < found < rate + 3 * (0.013**2 + 0.018**2) ** 0.5


def test_a_change_that_no_day_of_the_week_explains_is_seen() -> None:
    reference, times = days(np.random.default_rng(22), 140)
    when = When(times, Stretch(0.0, DAY_S, DAY_S))
    size = chunk_size(A_DAY, len(times))
    limits = limits_of(reference, size, columns=list(reference), rate=0.05, when=when)
    looks, at = days(np.random.default_rng(23), 14)
    looks["wait"] = looks["wait"] + 1.0
    day = np.floor(at / DAY_S)

    shares = [
        excess(reference, {n: c[day == i] for n, c in looks.items()}, limits) for i in range(14)
    ]

    assert all(found["wait"].is_beyond for found in shares)


def test_stretches_have_the_length_and_the_time_of_day_of_a_look() -> None:
    hours = np.arange(0.0, 10 * DAY_S, 3_600.0)
    night = stretch_of(hours[[2, 3, 4]], is_time=True)
    week = stretch_of(hours[: 7 * 24], is_time=True)
    dates = stretch_of(np.array([3 * DAY_S]), is_time=True)
    assert (night, week) == (Stretch(7_200.0, 10_800.0, DAY_S), Stretch(0.0, 7 * DAY_S, DAY_S))
    assert dates == Stretch(0.0, 3_600.0, DAY_S)
    assert night is not None
    assert week is not None

    nights = stretches_of(hours, night, least_rows=1)
    assert [part.tolist() for part in nights.rows[:2]] == [[2, 3, 4], [26, 27, 28]]
    assert (len(nights.rows), nights.n_apart) == (10, 10)
    weeks = stretches_of(hours[::-1], week, least_rows=1)  # in any order of the rows
    assert (len(weeks.rows), weeks.n_apart) == (4, 1)
    assert sorted(hours[::-1][weeks.rows[0]]) == hours[: 7 * 24].tolist()
    assert stretches_of(hours, week, least_rows=169).rows == ()
    assert stretches_of(np.full(5, np.nan), week, least_rows=1).rows == ()


def test_plain_numbers_that_order_rows_make_stretches_side_by_side() -> None:
    look = stretch_of(np.arange(500.0, 601.0), is_time=False)
    assert look is not None
    assert 80 < look.span <= 100
    found = stretches_of(np.arange(1_000.0), look, least_rows=10)
    assert len(found.rows) == found.n_apart == int(999 / look.span)
    assert stretch_of(np.full(3, 7.0), is_time=False) is None
    assert stretch_of(np.array([np.nan]), is_time=True) is None


def test_a_look_of_a_moment_makes_no_more_stretches_than_the_reference_has_rows() -> None:
    times = np.sort(np.random.default_rng(25).uniform(0, 30 * DAY_S, 200))
    for step in (1e-6, 0.05):
        found = stretches_of(times, Stretch(0.0, step, step), least_rows=1)
        assert 190 < len(found.rows) <= 200
    assert len(stretches_of(times * 1e300, Stretch(0.0, 1e-9, 1e-9), least_rows=1).rows) <= 200


def test_a_stretch_in_which_a_column_has_no_value_is_left_out() -> None:
    reference, times = days(np.random.default_rng(24), 30)
    reference["wait"][np.floor(times / DAY_S) == 3] = np.nan
    when = When(times, Stretch(0.0, DAY_S, DAY_S))
    limits = limits_of(reference, 40, columns=["visits", "wait"], rate=0.05, when=when)
    assert set(limits.centre) == {"visits", "wait"}
