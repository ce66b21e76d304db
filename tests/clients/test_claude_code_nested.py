"""A colleague that ``ml-orchestrator`` starts itself, inside its own turn, in real Claude Code.

As in the delegation by turns, each agent signs every call with the other's name. Both have worked
before; the colleague ends without having saved.
"""

import json
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from tests.clients.messages_api import Request, Result, Script, serve
from tests.clients.programs import ROOT, Programs
from tests.clients.sessions import (
    AGENT,
    ASKED_TO_SAVE,
    IS_IT_THERE,
    NEVER_CALLED,
    Session,
    answer_work,
    ask_claude,
    collaborators,
    failing_with,
    handed,
    left_behind,
    main_thread,
    own_tools,
    start,
    subagent,
    use,
)
from tests.tools.asking import ask, read

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

COLLEAGUE = "performance-engineer"
STRANGER = "general-purpose"
OLD = {AGENT: "tuned the ranker to AUC 0.71", COLLEAGUE: "halved the time of the ranker"}
WANTED = "Find out why ranker version 3 answers in 80 ms and not in 20"
FOUND = "One column came as text; 12 ms at the 99th percentile now"
NOTED = "The same column is text in the feed"
REPORT = f"{AGENT} has the answer."
LED = "Had the ranker made fast again"
KIND_OF_WORK = "latency"


def lead() -> Script:
    """Try to start a stranger; hand work over, start the colleague, and take its answer."""
    yield use("memory_load", agent=COLLEAGUE)
    yield start(STRANGER)
    yield use(
        "message_send",
        agent=COLLEAGUE,
        message_type="delegation",
        content=WANTED,
        target_agents=[COLLEAGUE],
        metadata={"task_type": KIND_OF_WORK},
    )
    report = yield start(f"ml-orchestrator:{COLLEAGUE}")
    inbox = yield use("message_inbox", agent=COLLEAGUE)
    came = [message["message_id"] for message in inbox.json()["messages"]]
    yield use("message_ack", agent=COLLEAGUE, message_ids=came)
    task = {"task_description": LED, "outcome": "success"}
    yield use("memory_save", agent=COLLEAGUE, task=task)
    return f"{COLLEAGUE} reports: {report.text}"


def follow() -> Script:
    """Take what the inbox holds, send the result back and a note besides, and stop."""
    asked = yield from answer_work(AGENT, FOUND)
    to = [asked["from_agent"]]
    yield use("message_send", agent=AGENT, target_agents=to, content=NOTED)
    return REPORT


@dataclass(frozen=True, slots=True)
class Nested:
    """One session in which an agent started another: what each asked of its model."""

    programs: Programs
    leading: Session
    following: Session

    @property
    def sessions(self) -> tuple[Session, Session]:
        """Of the one who asked, and of its colleague."""
        return self.leading, self.following

    def sent(self, session: Session, number: int = 0) -> dict[str, Any]:
        """Return what the server said of a message that was sent."""
        answer: dict[str, Any] = session.results("message_send")[number].json()
        return answer

    def started(self, agent_type: str) -> Result:
        """Return what the one who asked got back from the call that was to start such an agent."""
        exchanges = self.leading.requests[-1].exchanges
        (result,) = [
            r for call, r in exchanges if call.arguments.get("subagent_type") == agent_type
        ]
        return result

    @property
    def report(self) -> Result:
        """What the one who asked got back from the call that started its colleague."""
        return self.started(f"ml-orchestrator:{COLLEAGUE}")

    async def memories(self) -> list[dict[str, Any]]:
        """Return what both remember now."""
        async with left_behind(self.programs) as client:
            return [await ask(client, "memory_load", agent=agent) for agent in (AGENT, COLLEAGUE)]


@pytest.fixture(scope="module")
def nested(shared_programs: Programs) -> Nested:
    """A session after both have saved something."""
    anyio.run(have_saved, shared_programs)
    agents = (
        subagent(AGENT, lead),
        subagent(COLLEAGUE, follow),
        main_thread(AGENT, first=IS_IT_THERE),
    )
    with serve(*agents) as api:
        finished = ask_claude(shared_programs, api, "--plugin-dir", str(ROOT), limit_s=120)
    leading, following = (
        Session(finished, api.of("main"), api.of(agent)) for agent in (AGENT, COLLEAGUE)
    )
    assert leading.requests, finished.said
    assert following.requests, leading.requests[-1].exchanges
    return Nested(shared_programs, leading, following)


async def have_saved(programs: Programs) -> None:
    async with left_behind(programs) as client:
        for agent, done in OLD.items():
            task = {"task_description": done, "outcome": "success"}
            await ask(client, "memory_save", agent=agent, task=task)


def tools_sent(request: Request) -> set[str]:
    return set(request.tools) - {NEVER_CALLED}


def test_the_colleague_works_and_reports_inside_the_turn_of_the_one_who_asked(
    nested: Nested,
) -> None:
    with failing_with(*nested.sessions):
        calls = [call for call, _ in nested.leading.main[-1].exchanges if call.tool == "Agent"]
        assert [call.arguments["subagent_type"] for call in calls] == [f"ml-orchestrator:{AGENT}"]
        assert REPORT in nested.report.text
        assert REPORT in json.loads(nested.leading.finished.out)["result"]


def test_every_other_call_of_both_is_answered(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        results = [r for s in nested.sessions for _, r in s.requests[-1].exchanges]
        assert [result for result in results if result.is_error] == [nested.started(STRANGER)]


def test_a_stranger_is_not_started_and_the_reason_names_the_colleagues(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        assert f"ml-orchestrator:{COLLEAGUE}" in nested.started(STRANGER).text
        assert STRANGER in nested.started(STRANGER).text


def test_each_has_its_tools_with_its_first_request_and_the_colleague_starts_nobody(
    nested: Nested,
) -> None:
    with failing_with(*nested.sessions):
        for agent, session in zip((AGENT, COLLEAGUE), nested.sessions, strict=True):
            assert tools_sent(session.requests[0]) == own_tools(agent)
        assert "Agent" in tools_sent(nested.leading.requests[0])
        assert "Agent" not in tools_sent(nested.following.requests[0])


def test_each_is_handed_its_own_memory_once(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        for agent, session in zip((AGENT, COLLEAGUE), nested.sessions, strict=True):
            tasks = handed(session.requests[-1], "task")  # by the first batch of a slow start
            assert [record["task"] for record in tasks] == [OLD[agent]]
        (known,) = handed(nested.following.requests[0], "task")
        assert known["task"] == OLD[COLLEAGUE]


def test_the_work_is_in_the_first_request_of_the_colleague(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        (message,) = handed(nested.following.requests[0], "message")
        assert message["message_id"] == nested.sent(nested.leading)["message_id"]
        assert (message["from"], message["content"]) == (AGENT, WANTED)


def test_the_answer_is_handed_over_with_the_colleagues_report_and_the_note_waits(
    nested: Nested,
) -> None:
    with failing_with(*nested.sessions):
        requests = nested.leading.requests
        first = next(i for i, request in enumerate(requests) if handed(request, "message"))
        assert requests[first].exchanges[-1][1].text == nested.report.text
        (told,) = handed(requests[-1], "message")
        assert told["message_id"] == nested.sent(nested.following)["message_id"]
        assert (told["from"], told["type"], told["content"]) == (
            COLLEAGUE,
            "delegation_result",
            FOUND,
        )
        (inbox,) = nested.leading.results("message_inbox")
        assert [m["content"] for m in inbox.json()["messages"]] == [FOUND, NOTED]


async def test_each_acts_under_its_own_name_whatever_it_signs(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        async with left_behind(nested.programs) as client:
            thread = await read(client, f"thread://{nested.sent(nested.leading)['thread_id']}")
        assert [
            (m["message"]["message_type"], m["message"]["from_agent"], list(m["acknowledged_by"]))
            for m in thread["messages"]
        ] == [("delegation", AGENT, [COLLEAGUE]), ("delegation_result", COLLEAGUE, [AGENT])]
        for agent, session in zip((AGENT, COLLEAGUE), nested.sessions, strict=True):
            (loaded,) = session.results("memory_load")
            assert loaded.json()["memory"]["agent_name"] == agent


async def test_both_remember_how_they_worked_together(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        before = [session.results("memory_load")[0].json() for session in nested.sessions]
        after = await nested.memories()
        work = {
            "collaboration_frequency": 1,
            "success_rate": 1.0,
            "common_tasks": [KIND_OF_WORK],
            "success_rate_by_task": {KIND_OF_WORK: 1.0},
            "last_at": nested.sent(nested.following)["timestamp"],
            "flags": [],
        }
        assert [collaborators(memory) for memory in before] == [[], []]
        assert [collaborators(memory) for memory in after] == [
            [{"agent_name": COLLEAGUE, **work}],
            [{"agent_name": AGENT, **work}],
        ]


async def test_the_one_that_did_not_save_is_asked_once_and_saved_once(nested: Nested) -> None:
    with failing_with(*nested.sessions):
        asked = [session.requests[-1].said.count(ASKED_TO_SAVE) for session in nested.sessions]
        remembered = [memory["memory"]["task_history"] for memory in await nested.memories()]
        assert asked == [0, 1]
        assert [[(t["task_description"], t["outcome"]) for t in tasks] for tasks in remembered] == [
            [(LED, "success"), (OLD[AGENT], "success")],
            [(REPORT, "partial"), (OLD[COLLEAGUE], "success")],
        ]
