"""Detectors of streams: what every one promises, by river."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import (
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from ml_orchestrator.health.chunks import Timeline
from ml_orchestrator.health.over_time import drift_over_time
from ml_orchestrator.health.performance.check import check_performance
from ml_orchestrator.health.performance.predictions import read_predictions
from ml_orchestrator.health.streams import (
    Change,
    DetectorName,
    StreamDetector,
    open_detector,
    restore_detector,
)
from ml_orchestrator.health.streams.dating import change_of

DETECTORS: tuple[DetectorName, ...] = ("adwin", "page_hinkley", "kswin", "ddm")
EVERY = pytest.mark.parametrize("name", DETECTORS)
OPTIONS: dict[DetectorName, dict[str, float]] = {"kswin": {"alpha": 1e-4}}
AT, N = 450, 700


def _stream(name: DetectorName, seed: int, *, changes: bool) -> NDArray[np.float64]:
    """Errors: one in five, and from value 450 on three of five if it changes.

    For kswin, which compares 30 values with 30, a shift of two deviations.
    """
    rng = np.random.default_rng(seed)
    is_new = (np.arange(N) >= AT) & changes
    if name == "kswin":
        return rng.normal(2.0 * is_new, 1)
    return (rng.uniform(size=N) < np.where(is_new, 0.6, 0.2)).astype(np.float64)


def _changes(detector: StreamDetector, values: NDArray[np.float64]) -> list[Change]:
    found = (detector.update(value) for value in values.tolist())
    return [change for change in found if change is not None]


def _open(name: DetectorName) -> StreamDetector:
    return open_detector(name, **OPTIONS.get(name, {}))


@EVERY
def test_a_planted_change_is_seen_soon_and_dated_near_its_place(name: DetectorName) -> None:
    found = _changes(_open(name), _stream(name, 1, changes=True))
    assert found
    assert AT <= found[-1].seen <= AT + 200
    reach = {"adwin": 300, "page_hinkley": 250}.get(name, 40)
    assert abs(found[-1].since - AT) <= reach
    assert all(change.since <= change.seen for change in found)


@EVERY
def test_a_stream_without_a_change_is_left_alone(name: DetectorName) -> None:
    n_alarms = sum(
        len(_changes(_open(name), _stream(name, seed, changes=False))) for seed in range(4)
    )
    # ddm has no bound on false alarms: its three deviations are looked at 2,800 times.
    assert n_alarms <= (4 if name == "ddm" else 1)


@EVERY
@pytest.mark.parametrize("cut", [0, 1, 449, 480, 560])
def test_a_detector_that_was_stored_goes_on_as_if_it_had_not_been(
    name: DetectorName, cut: int
) -> None:
    values = _stream(name, 1, changes=True)
    whole = _changes(_open(name), values)

    first = _open(name)
    before = _changes(first, values[:cut])
    text = json.dumps(first.state(), allow_nan=False)
    again = restore_detector(json.loads(text))

    assert again.n_seen == cut
    assert before + _changes(again, values[cut:]) == whole


def test_a_damaged_state_and_one_of_another_release_are_refused() -> None:
    detector = open_detector("adwin")
    _changes(detector, _stream("adwin", 1, changes=False))
    state = dict(detector.state())
    with pytest.raises(IntegrityViolationError, match="damaged"):
        restore_detector({**state, "n_seen": 3})
    from ml_orchestrator.health.streams._river import _digest

    old = {name: value for name, value in {**state, "river": "0.1"}.items() if name != "digest"}
    with pytest.raises(UnavailableError, match=r"of river 0\.1"):
        restore_detector({**old, "digest": _digest(old)})


def test_what_a_detector_does_not_take_is_refused() -> None:
    with pytest.raises(NotFoundError, match="known: adwin, page_hinkley, kswin, ddm"):
        open_detector("cusum")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="cannot be opened so"):
        open_detector("adwin", width=3)
    with pytest.raises(InvalidInputError, match="finite"):
        open_detector("adwin").update(float("nan"))
    with pytest.raises(InvalidInputError, match="1 for an error"):
        open_detector("ddm").update(0.5)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ml_orchestrator.health.streams._river", raising=False)
    monkeypatch.setitem(sys.modules, "river", None)
    with pytest.raises(UnavailableError, match=r"ml-orchestrator-mcp\[streams\]"):
        open_detector("adwin")
    found = _over_time(lambda rng, n: rng.normal(1, 1, n))
    assert (found.changes, found.since is None) == ({}, False)


@pytest.mark.parametrize("kind", ["place", "spread"])
def test_a_shift_and_a_change_of_spread_are_dated_within_some_rows(kind: str) -> None:
    rng = np.random.default_rng(0)
    reference, now = rng.exponential(size=2_000), rng.exponential(size=1_500)
    now[700:] = now[700:] + 1 if kind == "place" else (now[700:] - 0.7) * 3 + 0.7
    change = change_of(reference, now)
    assert change is not None
    assert abs(change.since - 700) < 60


def test_a_stream_that_changed_before_it_began_has_changed_from_its_first_row() -> None:
    rng = np.random.default_rng(0)
    change = change_of(rng.normal(size=2_000), rng.normal(1, 1, 500))
    assert change is not None
    assert change.since < 20


def test_no_change_is_dated_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    found = [change_of(rng.normal(size=1_500), rng.normal(size=1_000)) for _ in range(20)]
    assert sum(change is not None for change in found) <= 1


def _over_time(later: Any) -> Any:
    rng = np.random.default_rng(0)
    reference = {"x": rng.normal(size=1_000), "y": rng.normal(size=1_000)}
    x = np.concatenate([rng.normal(size=650), later(rng, 350)])
    hours = Timeline(np.arange(1_000, dtype=np.float64) * 3_600, is_time=True)
    return drift_over_time(
        reference,
        {"x": x, "y": rng.normal(size=1_000)},
        tests={"x": "ks", "y": "ks"},
        timeline=hours,
        chunk="100rows",
    )


def test_the_row_is_dated_beside_the_chunk_and_only_of_columns_that_drifted() -> None:
    found = _over_time(lambda rng, n: rng.normal(1.5, 1, n))
    assert set(found.changes) == {"x"}
    moment = datetime.fromisoformat(found.changes["x"]).replace(tzinfo=UTC)
    assert abs(moment.timestamp() / 3_600 - 650) < 30  # hours: one row each
    assert found.columns_since["x"] == "1970-01-26"  # row 600 begins the chunk


def test_errors_that_become_more_are_dated_by_row() -> None:
    rng = np.random.default_rng(0)

    def table(n: int, rates: NDArray[np.float64] | float) -> dict[str, NDArray[Any]]:
        truth = rng.integers(0, 2, n)
        said = np.where(rng.uniform(size=n) < rates, 1 - truth, truth)
        return {"truth": truth.astype(float), "said": said.astype(float)}

    options: dict[str, Any] = {"target": "truth", "prediction": "said", "probabilities": None}
    reference = read_predictions(table(1_000, 0.1), side="reference", **options)
    classes = reference.classes
    worse = table(1_000, np.where(np.arange(1_000) < 620, 0.1, 0.4))
    calm = table(1_000, 0.1)

    found, quiet = (
        check_performance(
            reference,
            read_predictions(now, side="current", classes=classes, **options),
            chunk="100rows",
        )
        for now in (worse, calm)
    )

    assert found.is_worse
    assert found.errors_rose is not None
    assert abs(int(found.errors_rose) - 620) < 60
    assert (quiet.is_worse, quiet.errors_rose) == (False, None)
