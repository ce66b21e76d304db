"""Sizes, times and the change of quality, against numbers known beforehand."""

from itertools import count

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ml_orchestrator.compression.measuring import latency
from ml_orchestrator.compression.models import Difference
from ml_orchestrator.compression.quality import Bar, difference, verdict_of
from ml_orchestrator.errors import InvalidInputError

BAR = Bar("accuracy", 1.0, 0.5, 0.1)
N = 1_000


def scored(right: NDArray[np.bool_]):  # type: ignore[no-untyped-def]
    return lambda rows: float(right[rows].mean())


def compare(before: NDArray[np.bool_], after: NDArray[np.bool_], n_tried: int = 1) -> Difference:
    return difference(
        scored(before), scored(after), lambda rng: rng.integers(0, N, N), BAR,
        n_rows=N, n_resamples=400, n_tried=n_tried, seed=0,
    )  # fmt: skip


def first(n_right: int) -> NDArray[np.bool_]:
    return np.arange(N) < n_right


def test_the_same_answers_change_nothing_and_are_kept_for_certain() -> None:
    found = compare(first(900), first(900))
    assert (found.change, found.low, found.high, found.kept) == (0.0, 0.0, 0.0, 1.0)
    assert found.margin == pytest.approx(0.1 * (0.9 - 0.5))
    assert verdict_of(found, is_smaller_or_faster=True) == "kept"
    assert verdict_of(found, is_smaller_or_faster=False) == "no gain"


def test_the_interval_is_of_the_change_and_has_the_width_of_a_paired_difference() -> None:
    found = compare(first(900), first(880))
    deviation = np.sqrt(0.02 * 0.98 / N)  # of a share of 20 rows in 1,000
    assert found.change == pytest.approx(-0.02)
    assert found.high - found.low == pytest.approx(2 * 1.645 * deviation, rel=0.15)
    assert found.kept == pytest.approx(0.38 / 0.40)
    assert found.level == pytest.approx(0.90)


def test_the_more_are_tried_the_wider_the_interval_that_each_must_keep_within() -> None:
    one, four = compare(first(900), first(868)), compare(first(900), first(868), n_tried=4)
    deviation = np.sqrt(0.032 * 0.968 / N)
    assert four.high - four.low == pytest.approx(2 * 2.241 * deviation, rel=0.15)  # 1.25 % a side
    assert four.level == pytest.approx(0.975)
    assert one.change == four.change


@pytest.mark.parametrize(("n_tried", "verdict"), [(1, "kept"), (4, "unclear")])
def test_what_is_kept_alone_is_unclear_among_four(n_tried: int, verdict: str) -> None:
    found = compare(first(900), first(871), n_tried=n_tried)
    assert verdict_of(found, is_smaller_or_faster=True) == verdict


@pytest.mark.parametrize(
    ("n_right", "verdict"), [(897, "kept"), (865, "unclear"), (855, "worse"), (920, "kept")]
)
def test_a_verdict_asks_for_the_whole_interval(n_right: int, verdict: str) -> None:
    found = compare(first(900), first(n_right))
    assert verdict_of(found, is_smaller_or_faster=True) == verdict


def test_lower_can_be_better_and_a_model_no_better_than_none_has_nothing_to_keep() -> None:
    loss = Bar("log_loss", -1.0, 0.69, 0.1)
    assert loss.gain(0.49) == pytest.approx(0.2)
    assert loss.margin(0.49) == pytest.approx(0.02)
    with pytest.raises(InvalidInputError, match="nothing to keep"):
        loss.margin(0.7)


def test_both_are_timed_in_turns_on_the_same_rows() -> None:
    clock = 0.0
    asked: list[tuple[str, int]] = []

    def took(name: str, fixed_s: float, row_s: float):  # type: ignore[no-untyped-def]
        def predict(rows: pd.DataFrame) -> None:
            nonlocal clock
            asked.append((name, len(rows)))
            clock += fixed_s + row_s * len(rows)

        return predict

    rows = pd.DataFrame({"a": range(50)})
    found = latency(
        took("old", 0.010, 0.001), took("new", 0.002, 0.0001), rows, clock=lambda: clock
    )

    assert found.single_before == pytest.approx(11.0)
    assert found.single_after_p90 == pytest.approx(2.1)
    assert found.batch_before == pytest.approx(60.0)
    assert found.batch_after == pytest.approx(7.0)
    assert found.n_batch_rows == 50
    assert found.single_ratio == pytest.approx(11 / 2.1)
    singles = [name for name, n in asked if n == 1][6:10]
    assert singles == ["old", "new", "new", "old"]
    assert found.n_single == 100


def test_a_slow_model_is_still_timed_five_times() -> None:
    seconds = count()
    found = latency(
        lambda _: None, lambda _: None, pd.DataFrame({"a": [1]}), clock=lambda: float(next(seconds))
    )
    assert (found.n_single, found.n_batches) == (5, 5)
