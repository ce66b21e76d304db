import pytest

from ml_orchestrator.serving.rollout.gates import DEFAULT_GATES, Gate, Measured, Tally

BOTH = Gate(metric="error_rate", succeeds_at_most=0.01, fails_above=0.05, count=2)


def seen(value: float | None, **more: float | bool) -> Measured:
    return Measured.model_validate({"value": value, "detail": "", **more})


def tally(gate: Gate, *values: float | None) -> Tally:
    """Return the tally of measurements; -1 stands for an error."""
    found = Tally()
    for at, value in enumerate(values):
        measured = seen(None, is_error=True) if value == -1 else seen(value)
        found = found.add(gate.judge(measured), measured, at=float(at))
    return found


@pytest.mark.parametrize(
    ("limits", "outcomes"),
    [
        ({"succeeds_at_most": 1, "fails_above": 2}, ["success", "inconclusive", "failure"]),
        ({"succeeds_at_most": 1}, ["success", "failure", "failure"]),
        ({"fails_above": 2}, ["success", "success", "failure"]),
        ({}, ["success", "success", "success"]),
    ],
)
def test_conditions_mean_what_argo_means_by_them(
    limits: dict[str, float], outcomes: list[str]
) -> None:
    gate = Gate.model_validate({"metric": "latency_p95_ms", **limits})
    assert [gate.judge(seen(value)) for value in (1.0, 1.5, 2.5)] == outcomes


def test_no_data_and_not_a_number_are_inconclusive_whatever_the_limits() -> None:
    for gate in (BOTH, Gate(metric="error_rate"), *DEFAULT_GATES):
        assert gate.judge(seen(None)) == "inconclusive"
        assert gate.judge(seen(float("nan"))) == "inconclusive"


def test_an_estimate_counts_only_where_all_of_it_lies_on_one_side() -> None:
    gate = Gate(metric="task_loss", succeeds_at_most=0.02, fails_above=0.02)
    assert gate.judge(seen(0.0, low=-0.1, high=0.1)) == "inconclusive"
    assert gate.judge(seen(0.0, low=-0.02, high=0.02)) == "success"
    assert gate.judge(seen(0.1, low=0.03, high=0.2)) == "failure"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([], "running"),
        ([0.0], "running"),
        ([0.0, 0.0], "successful"),
        ([0.0, 0.2], "failed"),
        ([None, None], "running"),
        ([None, None, None], "inconclusive"),
        ([0.0, 0.0, None], "running"),  # the latest measurement says nothing
        ([0.0, 0.0, None, 0.0], "successful"),
        ([-1, -1, -1, -1], "running"),
        ([-1, -1, -1, -1, -1], "error"),
        ([-1, -1, -1, -1, 0.0, -1], "running"),  # not in a row
        ([None, None, None, 0.2], "failed"),  # failures first
    ],
)
def test_a_tally_gives_the_verdict(values: list[float | None], verdict: str) -> None:
    assert tally(BOTH, *values).verdict(BOTH) == verdict


def test_without_any_data_no_gate_ever_lets_a_phase_pass() -> None:
    for gate in DEFAULT_GATES:
        patient = gate.model_copy(update={"inconclusive_limit": 10_000})
        for n in range(50):
            assert tally(patient, *[None] * n).verdict(patient) == "running"


def test_measurements_are_taken_after_the_delay_and_then_at_the_interval() -> None:
    gate = Gate(metric="error_rate", initial_delay_s=30, interval_s=5)
    assert Tally().next_at(gate, phase_started_at=100.0) == 130.0
    assert tally(gate, 0.0, 0.0).next_at(gate, phase_started_at=100.0) == 6.0


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"succeeds_at_most 0\.5 lies above fails_above 0\.1"):
        Gate(metric="error_rate", succeeds_at_most=0.5, fails_above=0.1)
