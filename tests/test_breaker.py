"""The circuit breaker, by a clock of the test's own."""

import pytest

from ml_orchestrator.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(limit=3, first_wait_s=1.0, longest_wait_s=5.0, clock=clock)
    for n in range(3):
        assert breaker.admits()
        breaker.failed(f"fault {n}")
    return breaker


def test_it_stays_closed_until_so_many_have_failed_in_a_row(clock: Clock) -> None:
    breaker = Breaker(limit=3, clock=clock)
    for _ in range(5):
        breaker.failed("once")
        breaker.failed("twice")
        breaker.succeeded()

    assert breaker.admits()
    assert breaker.look().state == "closed"


def test_an_open_one_refuses_and_says_why_and_until_when(clock: Clock) -> None:
    breaker = opened(clock)

    look = breaker.look()
    assert not breaker.admits()
    assert (look.state, look.n_failures, look.last_error, look.retry_in_s) == (
        "open",
        3,
        "fault 2",
        1.0,
    )


def test_after_the_wait_one_call_decides(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 1.0

    assert breaker.look().state == "half_open"
    assert [breaker.admits(), breaker.admits()] == [True, False]
    breaker.succeeded()
    assert breaker.look().state == "closed"
    assert breaker.admits()


def test_each_opening_waits_twice_as_long_up_to_a_limit(clock: Clock) -> None:
    breaker = opened(clock)
    waits = []
    for _ in range(4):
        waits.append(breaker.look().retry_in_s)
        clock.now += waits[-1] or 0.0
        assert breaker.admits()
        breaker.failed("again")

    assert waits == [1.0, 2.0, 4.0, 5.0]


def test_what_fails_for_days_is_still_tried_at_the_longest_wait(clock: Clock) -> None:
    breaker = opened(clock)
    for _ in range(2_000):  # more than a power of two has room for
        clock.now += 5.0
        assert breaker.admits()
        breaker.failed("again")

    assert breaker.look().retry_in_s == 5.0


def test_a_trial_that_never_says_how_it_ended_counts_as_failed(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 1.0
    assert breaker.admits()

    assert not breaker.admits()
    clock.now += 1.0
    assert breaker.admits()


def test_who_says_that_it_is_mended_is_let_through_at_once(clock: Clock) -> None:
    breaker = opened(clock)
    breaker.reset()

    assert breaker.admits()
    assert breaker.look().n_failures == 0
