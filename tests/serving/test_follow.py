"""Following an alias."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.registry.flowers import ask, make_desk, register_flowers
from tests.serving.http_server import asked, http_server
from tests.serving.models import TAMPERED, make_slots, predicted

from ml_orchestrator.errors import ConflictError, IntegrityViolationError, UnavailableError
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.hearing import hearing_of_moves
from ml_orchestrator.serving.address import write_address
from ml_orchestrator.serving.client import HttpServingControl
from ml_orchestrator.serving.control import LoadedSlot, Traffic
from ml_orchestrator.serving.follow import Follower, tell_server
from ml_orchestrator.serving.rollout.actions import Rollout
from ml_orchestrator.serving.rollout.models import Progress, RolloutSpec, RolloutState
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

LIMIT_S = 30.0


class Alias:
    """An alias that the test moves."""

    def __init__(self) -> None:
        self.version: int | None = 1
        self.is_reachable = True
        self.looked = threading.Semaphore(0)

    def resolve(self) -> int | None:
        self.looked.release()
        if not self.is_reachable:
            raise UnavailableError("The registry is away.")
        return self.version


@pytest.fixture
def alias() -> Alias:
    return Alias()


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[ModelSlots]:
    slots = make_slots(tmp_path)
    yield slots
    slots.close()


@pytest.fixture
def follower(slots: ModelSlots, alias: Alias) -> Follower:
    return Follower(slots, alias.resolve, seen=1)


def test_a_moved_alias_is_followed_and_the_old_version_stays_loaded(
    slots: ModelSlots, alias: Alias, follower: Follower
) -> None:
    assert follower.look() == slots.state()
    alias.version = 2
    state = follower.look()
    assert (state.blue, state.green, predicted(slots)) == (2, 1, 2.0)
    alias.version = 1
    assert follower.look().blue == 1


def test_a_version_that_does_not_verify_is_refused_once_and_the_old_one_answers(
    slots: ModelSlots, alias: Alias, follower: Follower
) -> None:
    alias.version = TAMPERED
    with pytest.raises(IntegrityViolationError):
        follower.look()
    assert follower.look().blue == 1
    assert predicted(slots) == 1.0
    alias.version = 3
    assert follower.look().blue == 3


def test_where_the_alias_is_removed_the_version_that_answers_keeps_answering(
    alias: Alias, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    alias.version = None
    assert (follower.look().blue, follower.look().blue) == (1, 1)
    assert caplog.messages == ["The alias was removed; version 1 keeps answering"]
    alias.version = 2
    assert follower.look().blue == 2


def test_a_registry_that_is_away_is_asked_again(alias: Alias, follower: Follower) -> None:
    alias.version, alias.is_reachable = 2, False
    with pytest.raises(UnavailableError):
        follower.look()
    alias.is_reachable = True
    assert follower.look().blue == 2


def test_a_roll_out_at_work_is_left_in_peace(
    slots: ModelSlots, alias: Alias, follower: Follower
) -> None:
    slots.load_green(2)
    canary = Traffic(mode="canary", green_share=0.5)
    sharing = slots.set_traffic(canary, expected_generation=slots.state().generation)
    alias.version = 3
    assert follower.look() == sharing

    # It makes version 2 answer; the alias has not been moved yet.
    alias.version = 1
    swapped = slots.swap(expected_generation=sharing.generation)
    assert follower.look() == swapped
    alias.version = 2
    assert follower.look() == swapped


def rollout(state: RolloutState, number: int = 1, **progress: Any) -> Rollout:
    """A roll-out of version 2 after version 1."""
    return Rollout(
        id=f"rollout-{number}", model="model", alias="champion", version=2, from_version=1,
        actor="ada", spec=RolloutSpec(), state=state, progress=Progress(**progress), epoch=1,
        created_at="", updated_at="",
    )  # fmt: skip


def test_no_move_is_followed_while_a_roll_out_runs_and_others_moves_are_afterwards(
    slots: ModelSlots, alias: Alias
) -> None:
    newest = [rollout("pending")]
    follower = Follower(slots, alias.resolve, seen=1, newest_rollout=lambda: newest[0])
    alias.version = 3
    assert follower.look().blue == 3  # it has not begun yet

    alias.version = 4
    running: tuple[RolloutState, ...] = ("verifying", "loading", "baking", "paused", "rolling_back")
    for state in running:
        newest[0] = rollout(state)
        assert follower.look().blue == 3
    newest[0] = rollout("rolled_back")
    assert follower.look().blue == 4


def test_a_version_that_a_roll_out_went_back_from_is_not_followed_until_it_is_moved_anew(
    slots: ModelSlots, alias: Alias
) -> None:
    newest = [rollout("rolled_back", alias_refusal="The registry refused it.")]
    follower = Follower(slots, alias.resolve, seen=1, newest_rollout=lambda: newest[0])
    alias.version = 2
    assert follower.look().blue == follower.look().blue == 1
    alias.version = 1
    assert follower.look().blue == 1
    alias.version = 2
    assert follower.look().blue == 2


def test_a_change_of_somebody_else_while_it_loads_is_not_swapped_in(
    slots: ModelSlots, alias: Alias
) -> None:
    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(slots, name)

        def load_green(self, version: int) -> LoadedSlot:
            loaded = slots.load_green(version)
            slots.load_green(5)
            return loaded

    overtaken: Any = Overtaken()
    alias.version = 2
    with pytest.raises(ConflictError):
        Follower(overtaken, alias.resolve, seen=1).look()
    assert (slots.state().blue, slots.state().green) == (1, 5)


def test_an_alias_that_was_removed_changes_nothing(slots: ModelSlots) -> None:
    assert Follower(slots, lambda: None, seen=1).look().blue == 1


def test_it_looks_by_itself_and_goes_on_after_a_failure(
    slots: ModelSlots, alias: Alias, follower: Follower
) -> None:
    alias.is_reachable = False
    with follower.looking(0.01):
        assert alias.looked.acquire(timeout=LIMIT_S)
        alias.version, alias.is_reachable = 2, True
        for _ in range(3):  # the second look begins after the first has ended
            assert alias.looked.acquire(timeout=LIMIT_S)
    assert slots.state().blue == 2


def test_the_operator_tells_it_to_look(tmp_path: Path, alias: Alias) -> None:
    slots = make_slots(tmp_path)
    with http_server(slots, look=Follower(slots, alias.resolve, seen=1).look) as address:
        alias.version = 2
        assert HttpServingControl(address).follow().blue == 2
        alias.version = TAMPERED
        with pytest.raises(IntegrityViolationError):
            HttpServingControl(address).follow()
        assert HttpServingControl(address).state().blue == 2


def test_a_server_that_is_told_follows_and_one_that_cannot_is_no_failure(
    tmp_path: Path, alias: Alias, caplog: pytest.LogCaptureFixture
) -> None:
    this = psutil.Process()
    look = Follower(slots := make_slots(tmp_path), alias.resolve, seen=1).look
    tell_server(tmp_path, "model")  # nobody is there
    with http_server(slots, look=look) as there:
        write_address(tmp_path, replace(there, pid=this.pid, started_at=this.create_time()))
        alias.version = 2
        tell_server(tmp_path, "model")
        assert asked(there) == 2.0
        alias.version = TAMPERED
        tell_server(tmp_path, "model")
        assert asked(there) == 2.0
    tell_server(tmp_path, "model")
    warnings = [record.getMessage() for record in caplog.records]
    assert len([text for text in warnings if "did not follow at once" in text]) == 2


def test_a_server_hears_of_each_move_of_the_registry(home: Path, tmp_path: Path) -> None:
    register_flowers(home, make_desk(home), n=2)
    settings = Settings.read({}, project_dir=tmp_path, home=home)
    database = open_database(settings.state_url, home)
    desk = open_registry(settings, database)
    desk.mover.move(ask(1, None, alias="champion"))  # nobody is there
    slots, followed = make_slots(tmp_path), threading.Semaphore(0)
    follower = Follower(slots, lambda: desk.store.alias_version("iris", "champion"), seen=1)

    def look() -> None:
        follower.look()
        followed.release()

    with http_server(slots, look=look) as there, hearing_of_moves(database, "iris", look):
        desk.mover.move(ask(2, 1, alias="champion"))
        assert followed.acquire(timeout=LIMIT_S)
        assert asked(there) == 2.0
        desk.mover.move(ask("previous", 2, alias="champion"))
        assert followed.acquire(timeout=LIMIT_S)
        assert asked(there) == 1.0
    database.close()
