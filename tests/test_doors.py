import subprocess
import sys
import threading
from pathlib import Path

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


def test_prompt_tools_and_memory_wait_for_nobody_who_imports_much(tmp_path: Path) -> None:
    """In a process of its own: here most of it is imported already."""
    code = """
import sys, threading
from pathlib import Path
from ml_orchestrator.app_doors import Doors
from ml_orchestrator.doors import alone
from ml_orchestrator.settings import Settings

held = threading.Event()
def hold():
    with alone():
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
home = Path(sys.argv[1])
doors = Doors(Settings.read({}, home=home, project_dir=home))
prompt = "Write a summary of the text."
asked = {"max_rules": None, "max_added_words": None, "may_ask": True}
print(doors.engines.improve()(prompt, None, **asked).level)
chosen = doors.engines.prompt_learner().select(prompt, agent="ml-orchestrator", may_ask=True)
print(bool(chosen.decision.id), doors.stores.memory().describe())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["L0", "True", "0", "records", "of", "0", "agents"], done.stderr
