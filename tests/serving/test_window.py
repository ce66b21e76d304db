"""Counting what a version answered lately."""

from collections import Counter
from random import Random

import pytest

from ml_orchestrator.serving.window import SAMPLE_SIZE, Window


def filled(n: int, *, seed: int = 1) -> Window:
    """One answer every 10 ms that predicts its own number and takes as many ms, from 1."""
    window = Window(Random(seed))
    for number in range(n):
        window.add(
            number / 100, latency_ms=number + 1, is_error=number % 10 == 0, predictions=[number]
        )
    return window


def test_counts_are_of_the_window_and_exact() -> None:
    stats = filled(1_000).stats(7, now_s=10.0, window_s=2.0)
    assert (stats.version, stats.window_s, stats.n_requests, stats.n_errors) == (7, 2.0, 200, 20)


def test_quantiles_are_within_three_percent() -> None:
    stats = filled(1_000).stats(1, now_s=10.0, window_s=10.0)
    assert stats.p50_ms == pytest.approx(500, rel=0.03)
    assert stats.p95_ms == pytest.approx(950, rel=0.03)
    assert stats.p99_ms == pytest.approx(990, rel=0.03)


def test_an_empty_window_has_no_quantiles() -> None:
    stats = filled(100).stats(1, now_s=100.0, window_s=1.0)
    assert (stats.n_requests, stats.p50_ms, stats.predictions) == (0, None, ())


def test_what_is_older_than_ten_minutes_is_forgotten() -> None:
    window = filled(10)
    window.add(700.0, latency_ms=1, is_error=False, predictions=[1])
    stats = window.stats(1, now_s=700.0, window_s=10_000.0)
    assert (stats.window_s, stats.n_requests) == (600.0, 1)


def test_few_predictions_are_all_kept() -> None:
    stats = filled(150).stats(1, now_s=1.5, window_s=60.0)
    assert sorted(stats.predictions) == list(range(150))


def test_the_sample_is_uniform_over_busy_and_quiet_times() -> None:
    # The first half second holds 900 answers, the next nine and a half one each.
    seen: Counter[object] = Counter()
    for seed in range(200):
        window = Window(Random(seed))
        for number in range(1_000):
            at_s = number / 2_000 if number < 900 else (number - 900) / 10 + 0.5
            window.add(at_s, latency_ms=1, is_error=False, predictions=[number >= 900])
        stats = window.stats(1, now_s=10.5, window_s=60.0)
        assert len(stats.predictions) == SAMPLE_SIZE
        seen.update(stats.predictions)
    # 40,000 draws, a tenth of them late: 5 standard deviations are 0.75%.
    assert seen[True] / seen.total() == pytest.approx(0.1, abs=0.0075)
