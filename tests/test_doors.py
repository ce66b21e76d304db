import threading

import pytest

from ml_orchestrator.doors import Door

LIMIT_S = 30


def in_thread(door: Door[str]) -> threading.Thread:
    thread = threading.Thread(target=door, daemon=True)
    thread.start()
    return thread


def test_what_was_built_once_is_handed_out_ever_after() -> None:
    contents = iter(["content", "another"])
    door = Door(lambda: next(contents))
    assert not door.is_open
    assert (door(), door()) == ("content", "content")
    assert door.is_open


def test_a_failed_opening_is_raised_and_tried_again() -> None:
    outcomes = iter([OSError("the disk is full"), None])

    def build() -> str:
        if (outcome := next(outcomes)) is not None:
            raise outcome
        return "content"

    door = Door(build)
    with pytest.raises(OSError, match="full"):
        door()
    assert door() == "content"


def test_heavy_doors_open_one_after_another_for_fear_of_half_made_modules() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slowly() -> str:
        entered.set()
        assert go_on.wait(LIMIT_S)
        return "first"

    first, second = Door(slowly), Door(lambda: "second" if first.is_open else "too early")
    opening = in_thread(first)
    assert entered.wait(LIMIT_S)
    waiting = in_thread(second)
    waiting.join(0.2)
    assert not second.is_open
    go_on.set()
    opening.join(LIMIT_S)
    waiting.join(LIMIT_S)
    assert second() == "second"


def test_a_light_door_waits_for_no_heavy_one() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slowly() -> str:
        entered.set()
        assert go_on.wait(LIMIT_S)
        return "heavy"

    heavy = in_thread(Door(slowly))
    assert entered.wait(LIMIT_S)
    light = Door(lambda: "light", is_light=True)
    in_thread(light).join(LIMIT_S)
    assert light.is_open
    go_on.set()
    heavy.join(LIMIT_S)


@pytest.mark.parametrize("is_light", [True, False])
def test_a_door_may_open_another_while_it_opens(is_light: bool) -> None:
    inner = Door(lambda: "inner", is_light=is_light)
    outer = Door(lambda: inner() + " and outer")
    assert outer() == "inner and outer"
