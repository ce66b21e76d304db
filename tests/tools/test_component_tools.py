"""Tiers and states as a client sees them, and changes that reach a server that runs."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server, build_services
from ml_orchestrator.cli import main
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.orchestration.connectors.plan import LOOK_S
from ml_orchestrator.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)


def cli(settings: Settings, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(settings.home), *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


async def health(client: Client, detail: str = "concise") -> dict[str, Any]:
    return await ask(client, "health_get", detail=detail)


async def test_health_shows_six_tiers_and_what_is_in_use(settings: Settings) -> None:
    async with Client(build_server(settings)) as client:
        await ask(client, "memory_load", agent="ml-orchestrator")
        report = await health(client)

    assert [tier["tier"] for tier in report["tiers"]] == [1, 2, 3, 4, 5, 6]
    states = {part["name"]: part["state"] for part in report["components"]}
    assert (states["memory"], states["state-database"]) == ("started", "started")
    assert states["pattern-discovery"] == "discovered"
    assert sum(tier["n_components"] for tier in report["tiers"]) == len(states)


async def test_each_part_tells_its_release_and_what_it_can_do(settings: Settings) -> None:
    report = await build_services(settings).monitoring.health("detailed")

    parts = {part.name: part for part in report.components}
    assert [name for name, part in parts.items() if part.version is None] == []
    silent = [name for name, part in parts.items() if not part.capabilities]
    assert silent == ["data-directory"]  # a folder
    assert "search" in (parts["memory"].capabilities or ())
    assert "start" in (parts["WorkflowOrchestrator"].capabilities or ())


async def test_a_component_that_crashes_in_a_loop_degrades_its_tier_and_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise UnavailableError("The learner's store is torn.")

    monkeypatch.setattr("ml_orchestrator.learning.learner.Learner.__init__", crash)
    services = build_services(settings)
    for _ in range(4):
        shown = await services.components.show("learning")
        with pytest.raises(UnavailableError):
            await services.learning.feedback(
                "decision-1", agent="ml-orchestrator", kind="outcome", verdict=None, reward=1.0
            )
    report = await services.monitoring.health("concise")

    assert shown.breaker is not None
    assert shown.breaker.state == "open"
    assert shown.breaker.retry_at is not None
    assert "tried again in" in shown.detail
    tiers = {tier.tier: tier.state for tier in report.tiers}
    assert report.status == "degraded"
    assert [tier for tier, state in tiers.items() if state == "degraded"] == [2]


async def test_one_that_crashes_in_use_is_left_alone_and_the_others_work_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: object, *_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ml_orchestrator.orchestration.evaluations.Evaluator.patterns", crash)
    asked = {"source": {"x": [1.0, 2.0] * 50, "y": [0.0, 1.0] * 50}, "outcome": "y"}
    async with Client(build_server(settings)) as client:
        said = [await client.call_tool("patterns_discover", asked) for _ in range(4)]
        report = await ask(client, "health_get")
        builtin = await client.call_tool("dataset_profile", {"source": "builtin:iris"})

    assert all(result.is_error for result in said)
    assert "'pattern-discovery' has failed 3 times in a row and is tried again" in str(said[3])
    states = {part["name"]: part["state"] for part in report["components"]}
    assert states["pattern-discovery"] == "degraded"
    assert [t["tier"] for t in report["tiers"] if t["state"] == "degraded"] == [3]
    assert not builtin.is_error


async def test_a_change_by_a_person_reaches_a_server_that_runs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    message = {"agent": "data-pipeline-specialist", "target_agents": ["ml-orchestrator"]}
    async with Client(build_server(settings)) as client:
        await ask(client, "message_send", content="The first.", **message)
        await ask(client, "message_send", content="The second.", **message)
        changed = cli(settings, "components", "configure", "messages", "messages_per_minute=2")
        await anyio.sleep(LOOK_S)
        said = await refusal(client, "message_send", content="The third.", **message)
        restored = cli(
            settings, "components", "configure", "messages", "--unset", "messages_per_minute"
        )
        await anyio.sleep(LOOK_S)
        await ask(client, "message_send", content="The fourth.", **message)

    assert (changed, restored) == (0, 0)
    assert "messages (generation 1): messages_per_minute = 2" in capsys.readouterr().out
    assert "2" in said


def test_a_terminal_shows_needs_cost_breaker_and_configuration_of_one(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(settings, "components", "show", "memory") == 0
    shown = capsys.readouterr().out
    assert cli(settings, "components", "show", "memory", "--json") == 0
    record = json.loads(capsys.readouterr().out)

    assert "memory  store of tier 2, optimisation and learning" in shown
    assert "needs        state-database" in shown
    assert "memory_max_records = 100000" in shown
    assert record["state"] == "started"
    assert record["load_ms"] > 0
    assert record["breaker"]["state"] == "closed"
    assert record["schema"]["properties"]["memory_max_records"]["minimum"] == 10


def test_a_terminal_lists_by_tier_and_opens_nothing_unasked(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(settings, "components", "list") == 0

    shown = capsys.readouterr().out
    assert "2 optimisation and learning: discovered" in shown
    assert not (settings.home / "state.db").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "ghost"), "No component named 'ghost'; known: "),
        (("reload", "rights"), "No component named 'rights' can be built anew"),
        (("configure", "memory"), "Nothing was given. memory takes: memory_max_records"),
        (("configure", "memory", "many"), "'many' is not NAME=VALUE"),
        (("configure", "memory", "memory_max_records=1"), "memory_max_records"),
        (("configure", "workflow-runs", "lease_ttl_s=1"), "is not configured by lease_ttl_s"),
    ],
)
def test_what_cannot_be_done_in_a_terminal_is_named(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    assert cli(settings, "components", *arguments) == 1
    assert complaint in capsys.readouterr().err
