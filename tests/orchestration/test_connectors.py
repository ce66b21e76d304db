"""Slots: built on first use, configured and built anew while they are in use."""

import gc
from pathlib import Path
from typing import Any

import pytest

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.orchestration.connectors import Connector, Plan, Slot
from ml_orchestrator.orchestration.connectors.configuring import ask_for_reload, configure
from ml_orchestrator.orchestration.connectors.describing import described
from ml_orchestrator.settings import Settings
from ml_orchestrator.uses import counted_use


class Part:
    """What is built: it knows its setting and whether it is closed."""

    def __init__(self, settings: Settings, closed: list["int"]) -> None:
        self.limit = settings.memory_max_records
        self._closed = closed

    def close(self) -> None:
        self._closed.append(self.limit)


class Workshop:
    """Slots of one data directory, with a clock that stands still unless it is moved."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.read({}, home=home, project_dir=home)
        self.now = 0.0
        self.plan = Plan(home, clock=lambda: self.now)
        self.n_built = 0
        self.closed: list[int] = []
        self.fault: Exception | None = None

    def slot(self, name: str = "part", needs: Slot[Any] | None = None) -> Slot[Part]:
        connector = Connector(
            name, 2, self.build, lambda part: f"limit {part.limit}",
            takes=("memory_max_records",), close=Part.close, is_light=True,
        )  # fmt: skip
        return Slot(
            connector,
            self.settings,
            self.plan,
            needs=None if needs is None else {needs.connector.name: needs},
            clock=lambda: self.now,
        )

    def build(self, settings: Settings) -> Part:
        self.n_built += 1
        if self.fault is not None:
            raise self.fault
        return Part(settings, self.closed)

    def change(self, slot: Slot[Part], **values: Any) -> None:
        configure(self.settings, slot.connector, values)
        self.now += 1.0


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_part_is_built_once_and_only_when_it_is_wanted(workshop: Workshop) -> None:
    slot = workshop.slot()
    assert (slot.is_open, workshop.n_built) == (False, 0)

    assert slot() is slot()
    assert (slot.is_open, workshop.n_built) == (True, 1)
    assert slot.cost is not None
    assert slot.cost.load_ms > 0


def test_a_change_reaches_a_part_that_is_in_use(workshop: Workshop) -> None:
    slot = workshop.slot()
    before = slot()
    workshop.change(slot, memory_max_records=50)

    assert slot().limit == 50
    assert before.limit == workshop.settings.memory_max_records
    assert slot.values == {"memory_max_records": 50}


def test_a_call_that_runs_keeps_its_part_which_is_closed_when_nobody_has_it(
    workshop: Workshop,
) -> None:
    slot = workshop.slot()
    in_use = slot()
    workshop.change(slot, memory_max_records=50)
    slot()
    slot.tidy()
    assert workshop.closed == []

    del in_use
    gc.collect()
    slot.tidy()
    assert workshop.closed == [workshop.settings.memory_max_records]


def test_a_part_that_cannot_be_built_anew_leaves_the_old_one_and_says_so(
    workshop: Workshop,
) -> None:
    slot = workshop.slot()
    before = slot()
    workshop.fault = UnavailableError("The disk is full.")
    workshop.change(slot, memory_max_records=50)

    assert slot() is before
    assert slot.fault == "It could not be built anew: The disk is full."
    workshop.fault = None
    ask_for_reload(workshop.settings, slot.connector)
    workshop.now += 1.0
    assert slot().limit == 50
    assert slot.fault is None


def test_what_needs_a_part_is_built_anew_with_it(workshop: Workshop) -> None:
    base = workshop.slot("base")
    user = workshop.slot("user", needs=base)
    first = (base(), user())
    ask_for_reload(workshop.settings, base.connector)
    workshop.now += 1.0

    assert user() is not first[1]
    assert base() is not first[0]


def test_building_that_fails_in_a_loop_is_refused_for_a_while_then_tried_once(
    workshop: Workshop,
) -> None:
    slot = workshop.slot()
    workshop.fault = OSError("no route")
    for _ in range(3):
        with pytest.raises(OSError, match="no route"):
            slot()
    with pytest.raises(UnavailableError, match=r"'part' has failed 3 times in a row.*in 1 s"):
        slot()
    assert workshop.n_built == 3

    workshop.now += 1.0
    with pytest.raises(OSError, match="no route"):
        slot()
    workshop.now += 2.0
    workshop.fault = None
    assert slot().limit > 0
    assert slot.breaker.look().state == "closed"


def test_a_call_may_ask_twice_for_the_part_that_it_tries(workshop: Workshop) -> None:
    slot = workshop.slot()
    slot()
    for _ in range(3):
        slot.breaker.failed("It crashed.")
    with pytest.raises(UnavailableError, match="is tried again in 1 s"):
        slot()
    workshop.now += 1.0
    with counted_use():
        assert slot() is slot()
    assert slot.breaker.look().state == "closed"


def test_a_reload_tries_at_once_what_was_left_alone(workshop: Workshop) -> None:
    slot = workshop.slot()
    workshop.fault = OSError("no route")
    for _ in range(3):
        with pytest.raises(OSError, match="no route"):
            slot()
    workshop.fault = None
    ask_for_reload(workshop.settings, slot.connector)
    workshop.now += 0.5  # before the breaker would let it through

    assert slot().limit > 0


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"memory_max_records": 1}, "memory_max_records"),
        ({"memory_max_records": "many"}, "memory_max_records"),
        ({"home": "/tmp"}, "is not configured by home; it takes: memory_max_records"),
    ],
)
def test_what_a_part_does_not_take_is_refused_and_nothing_is_changed(
    workshop: Workshop, values: dict[str, Any], complaint: str
) -> None:
    slot = workshop.slot()
    workshop.change(slot, memory_max_records=50)
    with pytest.raises(InvalidInputError, match=complaint):
        workshop.change(slot, **values)

    assert slot.values == {"memory_max_records": 50}


def test_a_value_that_is_taken_back_is_the_settings_again(workshop: Workshop) -> None:
    slot = workshop.slot()
    workshop.change(slot, memory_max_records=50)
    configure(workshop.settings, slot.connector, {}, unset=["memory_max_records"])
    workshop.now += 1.0

    assert slot().limit == workshop.settings.memory_max_records
    assert slot.generation == 2


def test_a_file_that_cannot_be_read_changes_nothing(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slot = workshop.slot()
    workshop.change(slot, memory_max_records=50)
    assert slot().limit == 50
    (tmp_path / "components.json").write_text("{", encoding="utf-8")
    workshop.now += 1.0

    assert slot().limit == 50
    assert "components.json cannot be read" in caplog.text
    with pytest.raises(InvalidInputError, match="Mend it, or delete it"):
        ask_for_reload(workshop.settings, slot.connector)


def test_what_is_known_of_a_part_is_measured_not_invented(workshop: Workshop) -> None:
    slot = workshop.slot()
    assert "load_ms" not in described(slot)
    slot()

    found = described(slot)
    assert found["load_ms"] >= 0
    assert found["configuration"] == slot.values
