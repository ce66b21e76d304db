"""What every ``ServingControl`` promises."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.serving.http_server import asked, http_server
from tests.serving.models import TAMPERED, make_slots, predicted

from ml_orchestrator.errors import (
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
)
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import ServingControl, ServingState, Traffic

WINDOW_S = 60.0


@dataclass(frozen=True)
class Served:
    """A control under test and a way to send one request to its model."""

    control: ServingControl
    ask: Callable[[], float]


@pytest.fixture(params=["in-process", "over-http"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    slots = make_slots(tmp_path)
    if request.param == "in-process":
        yield Served(slots, lambda: predicted(slots))
        slots.close()
        return
    with http_server(slots) as address:
        yield Served(HttpServingControl(address), lambda: asked(address))


@pytest.fixture
def control(served: Served) -> ServingControl:
    return served.control


def generation(control: ServingControl) -> int:
    return control.state().generation


def versions(state: ServingState) -> tuple[int | None, int | None, Traffic]:
    return state.blue, state.green, state.traffic


def test_it_starts_with_one_version_that_answers_everything(served: Served) -> None:
    state = served.control.state()
    assert (state.model, *versions(state)) == ("model", 1, None, Traffic())
    assert served.ask() == 1


def test_green_is_loaded_and_warmed_while_blue_answers(served: Served) -> None:
    before = generation(served.control)
    loaded = served.control.load_green(2)
    assert (loaded.version, loaded.generation > before) == (2, True)
    assert loaded.load_ms > 0
    assert loaded.warm_ms > 0
    assert versions(served.control.state()) == (1, 2, Traffic())
    assert served.ask() == 1


def test_loading_what_is_loaded_changes_nothing(control: ServingControl) -> None:
    assert control.load_green(2) == control.load_green(2)


def test_a_green_version_without_traffic_makes_room_for_another(control: ServingControl) -> None:
    control.load_green(2)
    control.load_green(3)
    assert versions(control.state()) == (1, 3, Traffic())


def test_a_green_version_with_traffic_does_not(control: ServingControl) -> None:
    control.load_green(2)
    state = control.set_traffic(
        Traffic(mode="canary", green_share=0.5), expected_generation=generation(control)
    )
    with pytest.raises(ConflictError, match="Green version 2 has traffic"):
        control.load_green(3)
    assert control.state() == state


@pytest.mark.parametrize(
    ("version", "error"), [(TAMPERED, IntegrityViolationError), (7_000, NotFoundError)]
)
def test_a_version_that_cannot_be_loaded_leaves_everything_as_it_was(
    served: Served, version: int, error: type[Exception]
) -> None:
    before = served.control.state()
    with pytest.raises(error, match=f"{version}"):
        served.control.load_green(version)
    assert served.control.state() == before
    assert served.ask() == 1


def test_a_swap_exchanges_the_two_and_a_second_one_is_the_rollback(served: Served) -> None:
    served.control.load_green(2)
    state = served.control.swap(expected_generation=generation(served.control))
    assert versions(state) == (2, 1, Traffic())
    assert served.ask() == 2
    back = served.control.swap(expected_generation=state.generation)
    assert versions(back) == (1, 2, Traffic())
    assert back.generation > state.generation
    assert served.ask() == 1


def test_a_swap_makes_traffic_single(control: ServingControl) -> None:
    control.load_green(2)
    canary = Traffic(mode="canary", green_share=0.1)
    state = control.set_traffic(canary, expected_generation=generation(control))
    assert state.traffic == canary
    assert control.swap(expected_generation=state.generation).traffic == Traffic()


def test_a_change_repeated_succeeds_and_is_made_once(control: ServingControl) -> None:
    control.load_green(2)
    seen = generation(control)
    swapped = control.swap(expected_generation=seen)
    assert control.swap(expected_generation=seen) == swapped

    shadow = Traffic(mode="shadow", green_share=1.0)
    shared = control.set_traffic(shadow, expected_generation=swapped.generation)
    assert control.set_traffic(shadow, expected_generation=swapped.generation) == shared

    single = control.unload_green(expected_generation=shared.generation)
    assert control.unload_green(expected_generation=shared.generation) == single
    assert versions(single) == (2, None, Traffic())


def test_a_change_that_expects_another_generation_is_refused(control: ServingControl) -> None:
    control.load_green(2)
    before = control.state()
    seen = before.generation - 1
    with pytest.raises(ConflictError, match=f"generation {before.generation}, not {seen}"):
        control.swap(expected_generation=seen)
    with pytest.raises(ConflictError):
        control.set_traffic(Traffic(mode="canary", green_share=1.0), expected_generation=seen)
    with pytest.raises(ConflictError):
        control.unload_green(expected_generation=seen)
    assert control.state() == before


def test_without_a_green_version_there_is_nothing_to_swap_or_share(
    control: ServingControl,
) -> None:
    seen = generation(control)
    with pytest.raises(InvalidInputError, match="No green version"):
        control.swap(expected_generation=seen)
    for traffic in (Traffic(mode="canary", green_share=0.5), Traffic(mode="shadow")):
        with pytest.raises(InvalidInputError, match="No green version"):
            control.set_traffic(traffic, expected_generation=seen)


def test_a_canary_gets_about_its_share(served: Served) -> None:
    control = served.control
    control.load_green(2)
    traffic = Traffic(mode="canary", green_share=0.25)
    control.set_traffic(traffic, expected_generation=generation(control))
    n = 400
    answers = Counter(served.ask() for _ in range(n))
    assert set(answers) == {1, 2}
    # 5 standard deviations of a binomial share of 400: 0.11
    assert abs(answers[2] / n - 0.25) < 0.11
    blue, green = control.stats(window_s=WINDOW_S)
    assert (blue.n_requests, green.n_requests) == (answers[1], answers[2])


def test_a_version_that_is_retired_leaves_nothing_that_answers_until_a_swap(
    served: Served,
) -> None:
    control = served.control
    with pytest.raises(ConflictError, match="generation"):
        control.retire(expected_generation=generation(control) + 7)
    before = generation(control)
    state = control.retire(expected_generation=before)
    assert versions(state) == (None, None, Traffic())
    assert control.retire(expected_generation=before) == state  # asked again by one that died
    assert control.stats(window_s=WINDOW_S) == ()
    with pytest.raises(AssertionError):  # 503
        served.ask()

    control.load_green(2)
    swapped = control.swap(expected_generation=generation(control))
    assert versions(swapped) == (2, None, Traffic())
    assert served.ask() == 2


def test_stats_tell_what_each_version_answered(served: Served) -> None:
    control = served.control
    control.load_green(2)
    for _ in range(5):
        served.ask()
    (blue, green) = control.stats(window_s=WINDOW_S)
    assert (blue.version, blue.window_s, blue.n_requests, blue.n_errors) == (1, WINDOW_S, 5, 0)
    assert blue.predictions == (1.0,) * 5
    assert blue.p50_ms is not None
    assert blue.p95_ms is not None
    assert blue.p99_ms is not None
    assert 0 < blue.p50_ms <= blue.p95_ms <= blue.p99_ms
    assert green.model_dump() == {
        "version": 2, "window_s": WINDOW_S, "n_requests": 0, "n_errors": 0,
        "p50_ms": None, "p95_ms": None, "p99_ms": None, "predictions": (),
        "fault": None,
    }  # fmt: skip


def test_a_shadow_sees_every_request_and_answers_none(served: Served) -> None:
    control = served.control
    control.load_green(2)
    traffic = Traffic(mode="shadow", green_share=1.0)
    state = control.set_traffic(traffic, expected_generation=generation(control))
    assert [served.ask() for _ in range(10)] == [1.0] * 10
    # Letting green go waits for its copies; swapping first keeps what it saw.
    state = control.swap(expected_generation=state.generation)
    state = control.unload_green(expected_generation=state.generation)
    (blue,) = control.stats(window_s=WINDOW_S)
    assert state.blue == blue.version == 2
    assert blue.n_errors == 0
    assert 1 <= blue.n_requests <= 10


def test_letting_green_go_gives_blue_all_the_traffic(served: Served) -> None:
    control = served.control
    control.load_green(2)
    state = control.set_traffic(
        Traffic(mode="canary", green_share=1.0), expected_generation=generation(control)
    )
    assert served.ask() == 2
    after = control.unload_green(expected_generation=state.generation)
    assert versions(after) == (1, None, Traffic())
    assert served.ask() == 1
