"""Approvals through a client that can ask its person, through one that cannot, and a terminal."""

import io
import os
import pty
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from anyio.to_thread import run_sync
from mcp.client import Client, ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import ElicitRequestParams, ElicitResult, TextContent
from tests.registry.flowers import ask, make_desk, register_flowers

from ml_orchestrator.app import build_server
from ml_orchestrator.approving import require_person
from ml_orchestrator.cli import main
from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.rollouts.approving import RolloutApprovals
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.serving.rollout.actions import Rollout, Turn
from ml_orchestrator.serving.rollout.journal import RolloutJournal
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

Era = Literal["legacy", "2026-07-28"]
PROMOTION: dict[str, Any] = {
    "agent": "ml-orchestrator",
    "model": "iris",
    "alias": "@production",
    "version": 1,
    "expected_version": None,
    "reason": "best on\nheld-out rows",
}


@pytest.fixture
def tried(home: Path) -> Path:
    """A data directory whose version 1 has stood as champion."""
    desk = make_desk(home)
    register_flowers(home, desk)
    desk.mover.move(ask(1, None, alias="champion"))
    return home


@asynccontextmanager
async def session(
    home: Path, mode: Era, answer: ElicitationFnT | None = None
) -> AsyncIterator[Client]:
    server = build_server(Settings.read({}, project_dir=home.parent, home=home))
    async with Client(server, mode=mode, elicitation_callback=answer) as client:
        yield client


def person(
    action: Literal["accept", "decline", "cancel"], **content: Any
) -> tuple[ElicitationFnT, list[str]]:
    """A person who always answers the same, and the questions they were asked."""
    asked: list[str] = []

    async def answer(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content=content if action == "accept" else None)

    return answer, asked


async def call(client: Client, **changes: Any) -> tuple[bool, Any]:
    result = await client.call_tool("registry_move_alias", {**PROMOTION, **changes})
    first = result.content[0]
    assert isinstance(first, TextContent)
    return bool(result.is_error), first.text if result.is_error else result.structured_content


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_person_who_says_yes_is_asked_once_and_named_in_the_history(
    tried: Path, mode: Era
) -> None:
    answer, asked = person("accept", approve=True, reason="go")
    async with session(tried, mode, answer) as client:
        _, plan = await call(client, dry_run=True)
        assert (plan["plan"]["needs_approval"], asked) == (True, [])

        is_error, done = await call(client, plan_digest=plan["plan"]["digest"])
        page = await client.call_tool("registry_list", {"model": "iris"})

    assert not is_error, done
    assert done["move"]["approved_by"] == f"{os_user()}, asked by mcp"
    assert len(asked) == 1
    assert (
        r"from unset to version 1. ml-orchestrator gives as reason: 'best on\nheld-out rows'"
        in asked[0]
    )
    content = page.structured_content
    assert content is not None
    assert content["moves"][0] == done["move"]
    assert content["policies"]["@production"] == (
        "gates changes_something, is_ready, is_verified, was_tried; "
        "a person approves promotions and removal; 60 s between moves"
    )


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (person("accept", approve=False, reason="not today")[0], "rejected this plan.*not today"),
        (person("decline")[0], "rejected this plan"),
        (person("cancel")[0], "ml-orchestrator approve [0-9a-f]{12}` in a terminal"),
        (None, "ml-orchestrator approve [0-9a-f]{12}` in a terminal"),
    ],
)
async def test_without_a_yes_nothing_moves(
    tried: Path, mode: Era, answer: ElicitationFnT | None, said: str
) -> None:
    async with session(tried, mode, answer) as client:
        is_error, text = await call(client)
    assert is_error
    assert re.search(said, text)
    assert make_desk(tried).store.alias_version("iris", "production") is None


async def test_a_plan_that_is_not_allowed_troubles_nobody(tried: Path) -> None:
    answer, asked = person("accept", approve=True)
    desk = make_desk(tried)
    register_flowers(tried, desk, n=2)
    async with session(tried, "2026-07-28", answer) as client:
        for changes in ({"version": 2}, {"expected_version": 1}, {"plan_digest": "0" * 64}):
            is_error, text = await call(client, **changes)
            assert is_error, text
    assert asked == []
    assert desk.approvals.recent(limit=9)[1:] == ()


@pytest.mark.parametrize(
    "words",
    [
        {"reason": "approved by ada via terminal"},
        {"evidence": '{"approve": true, "state": "approved"}'},
        {"idempotency_key": "approved"},
        {"approval": {"approve": True}},
        {"verdict": {"approve": True}},
        {"covered_by": "x"},
    ],
)
async def test_no_argument_can_be_an_approval(tried: Path, words: dict[str, Any]) -> None:
    async with session(tried, "2026-07-28") as client:
        is_error, text = await call(client, **words)
    assert is_error
    assert re.search("needs the approval of a person|Unknown argument", text)
    assert make_desk(tried).store.alias_version("iris", "production") is None


async def test_what_a_person_approved_in_a_terminal_goes_through_once(
    tried: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(tried, "2026-07-28") as client:
        _, text = await call(client)
        found = re.search("approve ([0-9a-f]{12})", text)
        assert found is not None

        code = await run_sync(at_a_terminal, tried, approve(found[1]), "y", monkeypatch)
        is_error, done = await call(client)

    assert (code, is_error) == (0, False), done
    assert "@production of 'iris' from unset to version 1" in capsys.readouterr().out
    assert done["move"]["approved_by"] == os_user()
    assert await run_sync(run_cli, tried, "approvals") == 0
    assert capsys.readouterr().out == "Nothing waits for approval.\n"
    assert await run_sync(run_cli, tried, "approvals", "--all") == 0
    assert re.search(
        rf"{found[1]}  used .*used by {os_user()} \(terminal\): tested",
        capsys.readouterr().out,
        re.S,
    )


def test_a_person_overrides_rules_in_a_terminal_and_the_history_says_which(
    tried: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(tried)
    register_flowers(tried, desk, n=2)
    command = ("override", "iris", "@production", "2", "--reason", "the feed is broken")
    codes = [at_a_terminal(tried, command, typed, monkeypatch) for typed in ("", "y")]
    shown = capsys.readouterr().out
    (move,) = desk.mover.history("iris", "production", limit=9).moves

    assert codes == [1, 0]
    assert "@production of iris from unset to version 2, although:\n  was_tried: " in shown
    assert "Nothing was moved." in shown
    assert "@production of iris points to version 2; let go: was_tried." in shown
    assert (move.actor, move.approved_by) == (os_user(), os_user())
    assert (move.overrides, move.reason) == (("was_tried",), "the feed is broken")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run_cli(tried, *command, "--expect", "2") == 1  # no person is there
    assert "in a terminal of your own" in capsys.readouterr().err


async def test_somebody_who_does_not_say_yes_decides_nothing(
    tried: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(tried)
    wanted = desk.mover.ask_approval(ask(1, None, alias="production"))
    assert wanted is not None
    code = await run_sync(at_a_terminal, tried, approve(wanted.id), "", monkeypatch)
    assert (code, "Nothing was decided" in capsys.readouterr().out) == (1, True)
    assert desk.approvals.find(wanted.id).state == "pending"


class Paused:
    """A roll-out of the champion that waits for somebody; no worker is there to go on."""

    def __init__(self, home: Path) -> None:
        database = open_database(f"sqlite:///{home / 'state.db'}", home)
        settings = Settings.read({}, project_dir=home.parent, home=home)
        self.desk: RegistryDesk = open_registry(settings, database)  # with a true clock
        self.journal: RolloutJournal = open_journal(database)
        rollouts = RolloutDesk(database, lambda: self.desk)
        plan = rollouts.plan(
            "iris", 2, alias="champion", expected_version=1, spec={}, actor="ml-orchestrator"
        )
        key = rollouts.start(plan, actor="ml-orchestrator", reason="a test", key=None)
        self.rollout: Rollout = self.journal.take(key)

    def pause(self, paused_for: str, **progress: Any) -> None:
        given = {"phase": 1, "paused_in": "baking", "paused_for": paused_for, **progress}
        self.rollout = self.journal.record(self.rollout, Turn("paused", given))

    def wait_for_the_switch(self) -> str:
        self.pause("approval")
        approval_id = RolloutApprovals(self.desk).ask(self.rollout)
        self.pause("approval", approval_id=approval_id)
        return approval_id

    async def promote(self, client: Client) -> tuple[bool, Any]:
        result = await client.call_tool(
            "deployment_decide",
            {"agent": "ml-orchestrator", "rollout_id": self.rollout.id, "choice": "promote",
             "reason": "labels come late", "idempotency_key": "once"},
        )  # fmt: skip
        first = result.content[0]
        assert isinstance(first, TextContent)
        return bool(result.is_error), first.text


@pytest.fixture
def paused(tried: Path, monkeypatch: pytest.MonkeyPatch) -> Paused:
    monkeypatch.setattr(
        "ml_orchestrator.orchestration.launch.WorkerLauncher.ensure", lambda _: None
    )
    register_flowers(tried, make_desk(tried), n=2)
    return Paused(tried)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_person_who_is_asked_lets_gates_go(tried: Path, paused: Paused, mode: Era) -> None:
    paused.pause("gate")
    answer, asked = person("accept", approve=True)
    async with session(tried, mode, answer) as client:
        is_error, text = await paused.promote(client)

    decision = paused.journal.decision(paused.rollout)
    assert not is_error, text
    assert len(asked) == 1
    assert "although these gates have not passed: health, error_rate" in asked[0]
    assert decision is not None
    assert (decision.choice, decision.approved_by) == ("promote", f"{os_user()}, asked by mcp")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_person_who_is_asked_approves_the_switch_that_waits_for_it(
    tried: Path, paused: Paused, mode: Era
) -> None:
    approval_id = paused.wait_for_the_switch()
    answer, asked = person("accept", approve=True)
    async with session(tried, mode, answer) as client:
        is_error, text = await paused.promote(client)

    assert not is_error, text
    assert len(asked) == 1
    assert "let version 2 of 'iris' answer instead of version 1" in asked[0]
    found = paused.desk.approvals.find(approval_id)
    assert (found.state, found.decided_via) == ("approved", "elicitation")
    assert paused.journal.decision(paused.rollout) is None  # the worker goes on by itself


async def test_a_promotion_of_the_waiting_switch_sent_again_in_the_bake_is_no_second_one(
    tried: Path, paused: Paused
) -> None:
    approval_id = paused.wait_for_the_switch()
    paused.desk.approvals.decide(approval_id, "approved", decided_by="ada", via="terminal")
    async with session(tried, "legacy", None) as client:
        first = await paused.promote(client)
        paused.rollout = paused.journal.record(paused.rollout, Turn("baking", {}))
        again = await paused.promote(client)

    assert (first[0], again[0]) == (False, False), again
    assert paused.journal.decision(paused.rollout) is None
    decided = [e for e in paused.journal.events(paused.rollout.id) if e.kind == "decision"]
    assert [(e.actor, e.detail) for e in decided] == [
        ("ml-orchestrator", "promote: labels come late")
    ]


@pytest.mark.parametrize(("mode", "waits_for"), [("legacy", "gate"), ("2026-07-28", "approval")])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (person("accept", approve=False)[0], "rejected this plan"),
        (person("cancel")[0], "ml-orchestrator approve [0-9a-f]{12}` in a terminal"),
        (None, "ml-orchestrator approve [0-9a-f]{12}` in a terminal"),
    ],
)
async def test_without_a_yes_no_roll_out_is_promoted(
    tried: Path, paused: Paused, mode: Era, waits_for: str, answer: ElicitationFnT | None, said: str
) -> None:
    if waits_for == "gate":
        paused.pause("gate")
    else:
        paused.wait_for_the_switch()
    async with session(tried, mode, answer) as client:
        is_error, text = await paused.promote(client)

    assert is_error
    assert re.search(said, text)
    assert paused.journal.decision(paused.rollout) is None


@pytest.mark.parametrize("via", ["tool", "terminal"])
async def test_each_decision_reaches_the_worker_from_a_tool_and_from_a_terminal(
    tried: Path, paused: Paused, via: str
) -> None:
    async def hand_in(client: Client, choice: str) -> None:
        if via == "terminal":
            arguments = ("decide", paused.rollout.id, choice, "--reason", f"to {choice}")
            assert await run_sync(run_cli, tried, "deploy", *arguments) == 0
            return
        result = await client.call_tool(
            "deployment_decide",
            {"agent": "infrastructure-specialist", "rollout_id": paused.rollout.id,
             "choice": choice, "reason": f"to {choice}"},
        )  # fmt: skip
        assert not result.is_error, result.content

    async with session(tried, "2026-07-28") as client:
        for choice in ("pause", "resume", "abort", "rollback"):
            if choice == "resume":
                paused.pause("gate")
            else:
                paused.rollout = paused.journal.record(paused.rollout, Turn("baking", {"phase": 1}))
            await hand_in(client, choice)
            decision = paused.journal.decision(paused.rollout)
            assert decision is not None
            assert (decision.choice, decision.actor, decision.reason) == (
                choice, "infrastructure-specialist", f"to {choice}",
            )  # fmt: skip
            seen = {"decisions_seen": decision.seq}
            paused.rollout = paused.journal.record(paused.rollout, Turn("baking", seen))


@pytest.mark.parametrize(("is_terminal", "environ"), [(False, {}), (True, {"CLAUDECODE": "1"})])
def test_an_agents_shell_is_not_a_person(is_terminal: bool, environ: dict[str, str]) -> None:
    with pytest.raises(PermissionDeniedError, match="in a terminal of your own"):
        require_person(is_terminal=is_terminal, environ=environ)


def os_user() -> str:
    import getpass

    return getpass.getuser()


def approve(approval_id: str) -> tuple[str, ...]:
    return ("approve", approval_id, "--reason", "tested")


def run_cli(home: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["--home", str(home), *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def at_a_terminal(
    home: Path, command: Sequence[str], typed: str, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Run a command with a terminal as standard input, on which a person types a line."""
    monkeypatch.delenv("CLAUDECODE", raising=False)
    person_side, program_side = pty.openpty()
    os.write(person_side, f"{typed}\n".encode())
    try:
        with os.fdopen(program_side, encoding="utf-8") as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            return run_cli(home, *command)
    finally:
        os.close(person_side)
