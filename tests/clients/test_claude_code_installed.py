"""The plug-in as a person installs it, from a marketplace: two sessions one after the other.

In the first, each shipped agent works once; in the second, one of them comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.clients.messages_api import Call, Request, Script, ScriptedApi, serve
from tests.clients.plugins import make_marketplace
from tests.clients.programs import ROOT, Finished, Programs
from tests.clients.sessions import (
    AGENT,
    IS_IT_THERE,
    NEVER_CALLED,
    Session,
    agent_file,
    ask_claude,
    failing_with,
    main_thread,
    own_tools,
    subagent,
    use,
)
from tests.plugin.skill_files import read_skills

from ml_orchestrator.services.security import SHIPPED_AGENTS

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("claude_code")]

SKILLS = {name: skill.body.strip() for name, skill in read_skills(ROOT / "skills").items()}
OPENED = "roll-out"


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the plug-in was installed from, and what each agent was told in two sessions."""

    marketplace: Path
    first: ScriptedApi
    second: ScriptedApi
    finished: Sequence[Finished]

    def session(self, agent: str) -> Session:
        """Return the first session as one of its agents saw it."""
        return Session(self.finished[0], self.first.of("main"), self.first.of(agent))

    @property
    def return_of_the_agent(self) -> Session:
        """The second session."""
        return Session(self.finished[1], self.second.of("main"), self.second.of(AGENT))


def work(agent: str) -> Callable[[], Script]:
    """Open a skill, save and stop."""

    def script() -> Script:
        yield Call("Skill", {"skill": f"ml-orchestrator:{OPENED}"})
        task = {"task_description": work_of(agent), "outcome": "success"}
        yield use("memory_save", agent=agent, task=task)
        return "Saved."

    return script


def work_of(agent: str) -> str:
    return f"The first task of {agent}"


@pytest.fixture(scope="module")
def installed_twice(
    shared_programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """Both sessions, in one project."""
    marketplace = make_marketplace(tmp_path_factory.mktemp("marketplace") / "market")
    shared_programs.install(marketplace)
    agents = [subagent(agent, work(agent)) for agent in SHIPPED_AGENTS]
    with serve(*agents, main_thread(*SHIPPED_AGENTS)) as first:
        worked = ask_claude(shared_programs, first, limit_s=120)
    with serve(*agents, main_thread(AGENT, first=IS_IT_THERE)) as second:
        returned = ask_claude(shared_programs, second, limit_s=120)
    return Installed(marketplace, first, second, (worked, returned))


def tools_sent(request: Request) -> set[str]:
    return set(request.tools) - {NEVER_CALLED}


def skills_in(request: Request) -> set[str]:
    return {name for name, body in SKILLS.items() if body in request.said}


@pytest.mark.parametrize("agent", SHIPPED_AGENTS)
def test_the_first_request_of_each_agent_has_exactly_the_tools_of_its_file(
    installed_twice: Installed, agent: str
) -> None:
    session = installed_twice.session(agent)
    with failing_with(session):
        assert tools_sent(session.requests[0]) == own_tools(agent)


@pytest.mark.parametrize("agent", SHIPPED_AGENTS)
def test_the_first_request_of_each_agent_has_the_skill_of_its_file_and_no_other(
    installed_twice: Installed, agent: str
) -> None:
    session = installed_twice.session(agent)
    with failing_with(session):
        named = agent_file(agent).keys.get("skills")
        assert skills_in(session.requests[0]) == ({named} if named else set())


def test_an_agent_that_opens_a_skill_reads_it_and_learns_where_its_files_are(
    installed_twice: Installed,
) -> None:
    session = installed_twice.session(AGENT)
    with failing_with(session):
        _, after, *_ = session.requests
        assert OPENED in skills_in(after)
        assert f"{installed_twice.marketplace}/skills/{OPENED}\n" in after.said


def test_the_next_session_begins_with_every_tool_and_with_what_was_saved(
    installed_twice: Installed,
) -> None:
    session = installed_twice.return_of_the_agent
    with failing_with(session):
        request = session.requests[0]
        assert tools_sent(request) == own_tools(AGENT)
        assert [work_of(a) for a in SHIPPED_AGENTS if work_of(a) in request.said] == [
            work_of(AGENT)
        ]
