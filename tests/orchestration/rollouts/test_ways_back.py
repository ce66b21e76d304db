"""Ways back of roll-outs: by decision, against others, and of a first version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.rollouts.acting import QUICK, approve_all, assert_back, at, decide
from tests.orchestration.rollouts.small_world import (
    ACTOR,
    ALIAS,
    MODEL,
    NEW,
    OLD,
    Bench,
    World,
    open_bench,
)

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.rollouts.opening import reach_server
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.serving.control import Traffic
from ml_orchestrator.serving.rollout.actions import Turn
from ml_orchestrator.settings import Settings


@pytest.mark.parametrize(("choice", "ending"), [("abort", "aborted"), ("rollback", "rolled_back")])
def test_a_decision_in_the_bake_lets_the_old_version_answer(
    bench: Bench, choice: str, ending: str
) -> None:
    rollout_id = bench.begin(**QUICK)
    at(bench, "baking", lambda: decide(bench, rollout_id, choice))

    ended = bench.run(rollout_id)

    assert ended.state == ending
    assert ended.progress.reason == "ml-orchestrator: why"
    assert_back(bench, rollout_id)


def test_an_alias_that_somebody_else_moved_to_the_same_version_is_left_and_told(
    tmp_path: Path,
) -> None:
    class Overtaken:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def swap(self, **given: Any) -> Any:
            if opened.world.read()["alias"] == OLD:
                opened.mover.move(
                    MoveRequest(model=MODEL, alias=ALIAS, version=NEW, expected_version=OLD,
                                actor="ada", reason="by hand")
                )  # fmt: skip
            return self._inner.swap(**given)

    World(tmp_path / "world.json").make()
    opened = Bench(tmp_path, wrap=lambda name, x: Overtaken(x) if name == "serving" else x)

    ended = opened.run(opened.begin(**QUICK))

    assert ended.state == "rolled_back"
    assert (opened.world.read()["blue"], opened.world.read()["alias"]) == (OLD, NEW)
    (message,) = opened.mailbox.inbox("ml-orchestrator").messages
    assert "could NOT be moved back" in message.content
    opened.close()


def test_a_person_who_moves_the_alias_back_in_the_bake_ends_the_roll_out_without_complaint(
    bench: Bench,
) -> None:
    rollout_id = bench.begin(**QUICK)

    def move_back() -> None:
        bench.mover.move(
            MoveRequest(model=MODEL, alias=ALIAS, version="previous", expected_version=NEW,
                        actor="ada", reason="by hand")
        )  # fmt: skip

    at(bench, "baking", move_back)
    ended = bench.run(rollout_id)

    assert (ended.state, ended.progress.alias_refusal) == ("rolled_back", None)
    assert_back(bench, rollout_id)
    (message,) = bench.mailbox.inbox("ml-orchestrator").messages
    assert message.content.endswith("Somebody else moved @stable to 1. Version 1 answers.")


@pytest.mark.parametrize(("choice", "ending"), [("abort", "aborted"), ("rollback", "rolled_back")])
def test_a_first_version_that_goes_back_stops_answering_and_loses_its_alias(
    tmp_path: Path, choice: str, ending: str
) -> None:
    (tmp_path / "policies.toml").write_text(
        '[alias.stable]\napproval = "promotions"\ncool_down_s = 3600\n'
    )
    bench = open_bench(tmp_path, blue=NEW, alias=None)
    rollout_id = bench.begin(from_version=None, approval="before_promotion", **QUICK)

    def approve() -> None:
        if approve_all(bench):
            at(bench, "baking", lambda: decide(bench, rollout_id, choice))

    bench.on_wait = approve
    ended = bench.run(rollout_id)

    assert (ended.state, ended.progress.alias_refusal) == (ending, None)
    assert bench.effects() == ["alias 2", "retire 2", "alias None"]
    assert (bench.world.read()["blue"], bench.world.read()["green"]) == (None, None)
    assert ended.progress.rollback_ms is not None
    history = bench.mover.history(MODEL, ALIAS, limit=5)
    assert [(m.from_version, m.to_version) for m in history.moves] == [(NEW, None), (None, NEW)]
    left = (
        "There was no version before it to bring back, so nothing answers. A server that runs "
        "waits for the next version; `ml-orchestrator serve --model visits --stop` ends it."
    )
    *_, pointer, alias, end = bench.journal.events(rollout_id)
    assert (pointer.kind, pointer.detail) == ("pointer", "nothing answers, generation 2")
    assert (alias.detail, end.detail) == (
        "@stable is unset", f"{ending}: ml-orchestrator: why. {left}",
    )  # fmt: skip
    message = bench.mailbox.inbox(ACTOR).messages[0]
    assert message.content.endswith(f"{left} @stable is unset.")
    bench.close()


@pytest.mark.parametrize(
    ("like", "gate"), [({"error_rate": 0.2}, "error_rate"), ({"fault": "It ended."}, "health")]
)
def test_a_first_version_that_is_bad_stops_answering_by_itself(
    tmp_path: Path, like: Any, gate: str
) -> None:
    bench = open_bench(tmp_path, blue=None, alias=None, versions={str(NEW): like})

    ended = bench.run(bench.begin(from_version=None, **QUICK))

    switched = ["load 2", "swap to 2", "alias 2", "retire 2", "alias None"]
    assert str(ended.progress.reason).startswith(f"Gate {gate} failed")
    assert bench.effects() == (["load 2", "unload 2"] if gate == "health" else switched)
    assert (bench.world.read()["blue"], bench.world.read()["alias"]) == (None, None)
    bench.close()


def test_a_first_version_whose_server_is_gone_for_good_is_told_with_what_may_be_left(
    tmp_path: Path,
) -> None:
    bench = open_bench(tmp_path, blue=NEW, alias=None)
    rollout_id = bench.begin(from_version=None, unreachable_limit_s=10.0, **QUICK)

    def hush() -> None:
        with bench.world.change() as content:
            content["answers"] = False

    at(bench, "baking", hush)
    ended = bench.run(rollout_id)

    assert (ended.state, bench.world.read()["alias"]) == ("rolled_back", None)
    assert ended.progress.pointer_refusal == "The model server gave no answer for 10 s."
    (message, *_) = bench.mailbox.inbox(ACTOR).messages
    assert "its server may go on answering until `ml-orchestrator serve" in message.content
    bench.close()


def test_a_first_version_that_cannot_be_let_go_is_told_as_that(tmp_path: Path) -> None:
    class Stubborn:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def retire(self, **_: Any) -> Any:  # as a server of an earlier release
            raise UnavailableError("The model server answered 404.")

    World(tmp_path / "world.json").make(blue=NEW, alias=None)
    bench = Bench(tmp_path, wrap=lambda name, x: Stubborn(x) if name == "serving" else x)
    rollout_id = bench.begin(from_version=None, **QUICK)
    at(bench, "baking", lambda: decide(bench, rollout_id, "abort"))

    ended = bench.run(rollout_id)

    assert (ended.state, bench.world.read()["alias"]) == ("aborted", None)
    assert ended.progress.pointer_refusal == "The model server answered 404."
    assert "the version could not be let go" in str(bench.journal.events(rollout_id))
    bench.close()


def test_a_first_version_whose_server_does_not_come_up_ends_at_once_and_says_why(
    tmp_path: Path,
) -> None:
    bench = open_bench(tmp_path, blue=None, alias=None, answers=False)
    rollout_id = bench.begin(from_version=None, unreachable_limit_s=10.0, **QUICK)
    began = bench.world.now()

    ended = bench.run(rollout_id)

    assert (ended.state, ended.progress.reason) == (
        "rolled_back",
        "The model server gave no answer for 10 s: The model server does not answer.",
    )
    assert bench.world.now() - began < 20.0
    assert bench.effects() == []
    bench.close()


def test_no_server_is_started_for_a_first_version_that_goes_back(
    bench: Bench, tmp_path: Path
) -> None:
    rollout_id = bench.begin(from_version=None, **QUICK)
    taken = bench.journal.take(rollout_id)
    going_back = bench.journal.record(taken, Turn("rolling_back"))

    control = reach_server(Settings.read({}, home=tmp_path, project_dir=tmp_path), going_back)

    state = control.state()
    assert (state.blue, state.green, control.stats(window_s=60)) == (None, None, ())
    assert list((tmp_path / "serving").iterdir()) == []
    changes: list[Callable[[], object]] = [
        lambda: control.load_green(NEW),
        lambda: control.set_traffic(Traffic(), expected_generation=0),
        lambda: control.swap(expected_generation=0),
        lambda: control.unload_green(expected_generation=0),
        lambda: control.retire(expected_generation=0),
    ]
    for change in changes:
        with pytest.raises(UnavailableError, match="No server of 'visits' runs"):
            change()


def test_where_another_version_answers_a_first_one_is_not_rolled_out_and_the_way_is_named(
    tmp_path: Path,
) -> None:
    bench = open_bench(tmp_path, alias=None)

    ended = bench.run(bench.begin(from_version=None, **QUICK))

    assert ended.progress.reason == (
        "The server answers with version 1, and @stable was unset. Stop that server "
        "(`ml-orchestrator serve --model visits --stop`), then start again."
    )
    assert (ended.state, bench.effects()) == ("rolled_back", [])
    (message,) = bench.mailbox.inbox(ACTOR).messages
    assert message.content.endswith("Version 1 answers. @stable is unset.")
    bench.close()
