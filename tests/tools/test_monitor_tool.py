"""monitor_set and what health_get and the command line show of monitors, through the client."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp.client import Client
from mcp.types import TextContent

from ml_orchestrator.app import build_server
from ml_orchestrator.cli import main
from ml_orchestrator.orchestration.workers import NO_WORKER
from ml_orchestrator.settings import Settings

SPEC: dict[str, Any] = {
    "watch": "now.csv",
    "reference": "before.csv",
    "drift": {},
    "cron": "0 3 * * *",
    "zone": "Europe/Berlin",
}
RETRAIN = {"params": {"model": "shop", "target": "age", "source": "now.csv"}}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(  # the worker is another test's matter
        "ml_orchestrator.orchestration.launch.WorkerLauncher.ensure", lambda _: None
    )
    values = "\n".join(f"{x:.3f}" for x in np.random.default_rng(0).normal(size=200))
    (tmp_path / "before.csv").write_text(f"age\n{values}\n")
    return Settings.read({}, project_dir=tmp_path)


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text if result.is_error else json.loads(first.text)


async def set_monitor(client: Client, **given: Any) -> Any:
    return await call(
        client, "monitor_set", **{"agent": "ml-orchestrator", "name": "ages", **given}
    )


async def test_a_dry_run_says_what_it_would_do_and_when_and_does_nothing(
    settings: Settings,
) -> None:
    async with Client(build_server(settings)) as client:
        planned = await set_monitor(client, spec={**SPEC, "retrain": RETRAIN}, dry_run=True)
        health = await call(client, "health_get", detail="detailed")

    assert planned["is_dry_run"]
    assert planned["change"] == "Monitor 'ages' is made, owned by ml-orchestrator."
    plan = " ".join(planned["does"])
    for said in ("0 3 * * * (Europe/Berlin)", "There is nothing to look at yet", "1.00%", "train"):
        assert said in plan
    assert len(set(planned["next_looks_at"])) == 3
    assert health["monitors"] == {"monitors": [], "open_alerts": []}


async def test_it_is_made_shown_paused_resumed_and_removed(settings: Settings) -> None:
    async with Client(build_server(settings)) as client:
        made = await set_monitor(client, spec=SPEC)
        shown = await call(client, "health_get", detail="detailed")
        brief = await call(client, "health_get")
        paused = await set_monitor(client, act="pause")
        resumed = await set_monitor(client, act="resume")
        removed = await set_monitor(client, act="delete")
        again = await set_monitor(client, act="delete")

    assert made["monitor"]["state"] == "waiting"
    assert made["monitor"]["next_look_at"] == made["next_looks_at"][0]
    assert shown["monitors"]["monitors"] == [made["monitor"]]
    assert brief["monitors"] is None
    assert (paused["monitor"]["is_paused"], paused["monitor"]["next_look_at"]) == (True, None)
    assert resumed["monitor"]["next_look_at"] == made["monitor"]["next_look_at"]
    assert removed["change"] == "Monitor 'ages' and its 0 looks are removed by ml-orchestrator."
    assert "No monitor named 'ages'" in again


async def test_who_may_not_train_or_roll_back_may_set_no_monitor_that_does(
    settings: Settings,
) -> None:
    back = {"model": "shop", "alias": "production"}
    async with Client(build_server(settings)) as client:
        nobody = await set_monitor(client, agent="performance-engineer", spec=SPEC)
        by_data = {"agent": "data-pipeline-specialist", "dry_run": True}
        plain = await set_monitor(client, **by_data, spec=SPEC)
        trains = await set_monitor(client, **by_data, spec={**SPEC, "retrain": RETRAIN})
        rolls = {**SPEC, "retrain": {**RETRAIN, "roll_out": {}}}
        rolls_out = await set_monitor(client, **by_data, spec=rolls)
        rolls_back = await set_monitor(client, **by_data, spec={**SPEC, "roll_back": back})
        made = await set_monitor(client, spec={**SPEC, "roll_back": back})
        paused = await set_monitor(client, agent="data-pipeline-specialist", act="pause")
        resumed = await set_monitor(client, agent="data-pipeline-specialist", act="resume")

    assert "may not use monitor_set" in nobody
    assert plain["is_dry_run"]
    assert trains["is_dry_run"]
    assert "may not use deployment_start" in rolls_out
    assert "may not use registry_move_alias" in rolls_back
    assert made["monitor"]["owner"] == "ml-orchestrator"
    assert paused["monitor"]["is_paused"]
    assert "may not use registry_move_alias" in resumed


async def test_parameters_of_a_training_cannot_smuggle_a_roll_out_past_the_rights(
    settings: Settings,
) -> None:
    given = {"agent": "data-pipeline-specialist", "dry_run": True}
    async with Client(build_server(settings)) as client:
        said = {
            name: await set_monitor(
                client,
                **given,
                spec={**SPEC, "retrain": {"params": {**RETRAIN["params"], name: value}}},
            )
            for name, value in (
                ("roll_out", {"strategy": "canary", "steps": [{"percent": 100}]}),
                ("roll_out_alias", "production"),
                ("alert_id", "alert-0"),
            )
        }

    assert "roll_out belongs in retrain.roll_out" in said["roll_out"]
    assert "roll_out_alias belongs in retrain.alias" in said["roll_out_alias"]
    assert "alert_id is filled in" in said["alert_id"]


async def test_what_cannot_be_used_is_refused_with_what_can(settings: Settings) -> None:
    async with Client(build_server(settings)) as client:
        unknown = await set_monitor(client, spec={**SPEC, "evry_s": 60})
        often = await set_monitor(client, spec={**SPEC, "cron": None, "every_s": 1})
        nothing = await set_monitor(client)
        both = await set_monitor(client, act="pause", spec=SPEC)
        name = await set_monitor(client, name="../x", spec=SPEC)

    assert "evry_s" in unknown
    assert "every_s, zone" in unknown
    assert "every_s: Input should be greater than or equal to 10" in often
    assert "act set takes a spec" in nothing
    assert "act set takes a spec" in both
    assert "cannot name a monitor" in name


async def test_a_read_only_server_has_no_such_tool(settings: Settings) -> None:
    read_only = settings.model_copy(update={"mode": "read-only"})
    async with Client(build_server(read_only)) as client:
        assert "monitor_set" not in [tool.name for tool in (await client.list_tools()).tools]


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        ("UPDATE schedules SET next_due_at = '{long_ago}'", NO_WORKER),
        ("UPDATE schedules SET last_error = 'Too many runs wait.'", "Too many runs wait."),
        ("UPDATE schedules SET is_enabled = 0", "act resume"),
        ("DELETE FROM schedules", "act resume"),
        (
            "UPDATE schedules SET last_due_at = '{now}'; "
            "UPDATE monitors SET condition = replace(condition, '\"20', '\"19')",
            "no look came",
        ),
    ],
)
async def test_a_monitor_that_nobody_lets_look_is_not_shown_as_healthy(
    settings: Settings, happened: str, said: str
) -> None:
    moments = {
        "long_ago": "2026-01-01T00:00:00.000000+00:00",
        "now": datetime.now(UTC).isoformat(timespec="microseconds"),
    }
    async with Client(build_server(settings)) as client:
        await set_monitor(client, spec={**SPEC, "cron": None, "every_s": 600})
        with closing(sqlite3.connect(settings.home / "state.db")) as connection:
            connection.executescript(happened.format(**moments))
        health = await call(client, "health_get", detail="detailed")
        again = await set_monitor(client, act="resume")

    (shown,) = health["monitors"]["monitors"]
    assert shown["state"] == "no_data"
    assert said in shown["schedule"]
    if said == "act resume":
        assert again["monitor"]["state"] == "waiting"


def command(settings: Settings, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[Any, str]:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(settings.home), "monitors", *words])
    captured = capsys.readouterr()
    return ended.value.code, captured.out + captured.err


def test_a_person_lists_shows_runs_and_removes_monitors(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import anyio

    from ml_orchestrator.app import build_services

    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(settings.project_dir))
    assert command(settings, capsys, "list") == (0, f"No monitors yet in {settings.home}.\n")

    async def put() -> None:
        monitoring = build_services(settings).monitoring
        await monitoring.set_monitor("ages", "set", SPEC, actor="ml-orchestrator", dry_run=False)

    anyio.run(put)
    code, said = command(settings, capsys, "list")
    assert (code, said.split()[:3]) == (0, [".", "ages", "waiting"])
    code, said = command(settings, capsys, "show", "ages", "--json")
    assert json.loads(said)["spec"]["watch"] == "now.csv"
    assert command(settings, capsys, "run", "ages")[0] == 0
    assert "are removed" in command(settings, capsys, "remove", "ages")[1]
    code, said = command(settings, capsys, "show", "ages")
    assert (code, "No monitor named 'ages'" in said) == (1, True)
