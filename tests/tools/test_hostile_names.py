"""Hostile names and addresses: refused in words, or stored as the text they are."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from tests.tools.asking import ask, read, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.text import clean, is_hidden

ME, YOU = "ml-orchestrator", "performance-engineer"
NAMES = {
    "climbs": "../x",
    "climbs encoded": "%2e%2e%2fx",
    "climbs by backslash": "..\\x",
    "a share": "\\\\host\\share",
    "absolute": "/etc/passwd",
    "reads backwards": "a\u202ecba",
    "an option": "-rf",
    "two lines": "a\nb",
    "ends early": "a\x00b",
    "a command": "$(touch pwned);`touch pwned`|touch pwned",
    "a quote": "x'; DROP TABLE messages; --",
    "a device": "NUL",
    "a stream": "x::$DATA",
}
ADDRESSES = (
    "http://169.254.169.254/latest/meta-data.csv",
    "http://[::1]:8642/x.csv",
    "http://0x7f.1/x.csv",
    "HTTPS://localhost/x.csv",
    "ftp://host/x.csv",
    "file:///etc/passwd.csv",
    "s3://bucket/x.csv",
    "\\\\host\\share\\x.csv",
    "//host/share/x.csv",
)
MOVE: dict[str, Any] = {"agent": ME, "version": 1, "expected_version": None, "reason": "a test"}
TRAIN: dict[str, Any] = {"source": "builtin:friedman1", "model": "m"}
EVERY_NAME = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


def refused_everywhere(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield calls in which ``name`` stands where something known, or a plain name, is wanted."""
    message = {"agent": ME, "content": "x"}
    yield "memory_load", {"agent": name}
    yield "memory_save", {"agent": name, "task": {"task_description": "t", "outcome": "success"}}
    yield "memory_search", {"of_agent": name}
    yield "memory_search", {"cursor": name}
    yield "message_send", {**message, "target_agents": [name]}
    yield "message_send", {**message, "message_type": name}
    yield "message_send", {**message, "reply_to": name}
    yield "message_send", {**message, "priority": name}
    yield "message_ack", {"agent": ME, "message_ids": [name]}
    yield "lease_set", {"agent": ME, "resource": name, "ttl_s": 1}
    yield "training_status", {"run_id": name}
    yield "training_cancel", {"agent": ME, "run_id": name}
    yield "workflow_status", {"run_id": name}
    yield "registry_list", {"model": name}
    yield "registry_verify", {"model": name, "version": 1}
    yield "registry_move_alias", {**MOVE, "model": name, "alias": "champion"}
    yield "registry_move_alias", {**MOVE, "model": "m", "alias": name}
    yield "model_predict", {"model": name, "rows": [{"x": 1}]}
    yield "deployment_start", {**MOVE, "model": name}
    yield "deployment_start", {**MOVE, "model": "m", "alias": name}
    yield "deployment_status", {"rollout": name}
    yield "deployment_decide", {"agent": ME, "rollout_id": name, "choice": "abort", "reason": "no!"}
    yield "dataset_profile", {"source": name}
    yield "dataset_profile", {"source": f"builtin:{name}"}
    yield "drift_check", {"reference": name, "current": name}
    yield "training_start", {"agent": ME, **TRAIN, "model": name}
    yield "training_start", {"agent": ME, **TRAIN, "source": name}
    yield "training_start", {"agent": ME, **TRAIN, "trainers": [name]}
    yield "workflow_run", {"agent": ME, "name": name, "params": TRAIN}
    yield "workflow_run", {"agent": ME, "name": "train", "params": {**TRAIN, "source": name}}
    yield "workflow_run", {"agent": ME, "name": "train", "params": {**TRAIN, "model": name}}
    yield "workflow_run", {"agent": ME, "name": "train", "params": {**TRAIN, name: 1}}


def reading(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield calls that would read a data set."""
    train = {**TRAIN, "source": source}
    yield "dataset_profile", {"source": source}
    yield "drift_check", {"reference": source, "current": source}
    yield "training_start", {"agent": ME, **train}
    yield "workflow_run", {"agent": ME, "name": "train", "params": train}


def resources(name: str) -> list[str]:
    """Return addresses of ours with ``name`` where an agent, a thread, a model or a run is."""
    schemes = ("memory", "inbox", "thread", "dead-letter", "lease", "registry", "run", "health")
    return [f"{scheme}://{name}" for scheme in schemes]


def hides(text: str) -> bool:
    """Say whether a reader would not see all of a text."""
    return any(is_hidden(char) and char != " " for char in text)


def outside(tmp_path: Path) -> dict[str, bytes]:
    """Return every file that is not in the data directory, with its content."""
    files = (path for path in tmp_path.rglob("*") if path.is_file())
    home = tmp_path / "home"
    return {str(p): p.read_bytes() for p in files if home not in p.parents}


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Any:
    (tmp_path / "project").mkdir()
    (tmp_path / "x").write_text("outside")
    return build_server(Settings.read({}, project_dir=tmp_path / "project", home=home))


@EVERY_NAME
async def test_a_hostile_name_is_refused_in_words_wherever_a_name_is_wanted(
    server: Any, tmp_path: Path, name: str
) -> None:
    before = outside(tmp_path)
    async with Client(server) as client:
        for tool, arguments in refused_everywhere(name):
            said = await refusal(client, tool, **arguments)
            assert not hides(said.replace("\n", " ")), (tool, said)
    assert outside(tmp_path) == before


async def test_no_address_is_fetched_and_no_share_is_opened(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: asked.append(given))
    async with Client(server) as client:
        said = [
            await refusal(client, tool, **arguments)
            for source in ADDRESSES
            for tool, arguments in reading(source)
        ]

    assert asked == []
    for text in said:
        assert "no address is fetched" in text or "outside" in text or "No file" in text, text


@EVERY_NAME
async def test_an_address_of_a_hostile_name_is_refused_in_words(
    server: Any, tmp_path: Path, name: str
) -> None:
    before = outside(tmp_path)
    async with Client(server) as client:
        for address in resources(name):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(address)
            said = str(refused.value)
            assert name in said or repr(name)[1:-1] in said, said  # about it, and no content
            assert "Traceback" not in said
    assert outside(tmp_path) == before


@EVERY_NAME
async def test_a_hostile_name_in_memory_and_leases_is_text_and_stays_what_it_is(
    server: Any, tmp_path: Path, name: str
) -> None:
    before, shown = outside(tmp_path), clean(name).text
    task = {"task_description": name, "outcome": "success", "task_id": name}
    insight = {"area": name, "insight": name, "impact": "low", "confidence": 0.5}
    fact = {"subject": name, "statement": name, "source": name, "confidence": 1}
    async with Client(server) as client:
        saved = await ask(
            client, "memory_save", agent=ME, task=task, insights=[insight], knowledge=[fact]
        )
        memory = (await ask(client, "memory_load", agent=ME))["memory"]
        found = await ask(client, "memory_search", area=shown)
        unknown = await ask(client, "memory_save", agent=ME, pin=[name])
        leased = await client.call_tool(
            "lease_set", {"agent": ME, "resource": f"file:{name}", "ttl_s": 60, "note": name}
        )
        leases = (await read(client, "lease://all"))["leases"]

    assert saved["task_id"] == memory["task_history"][0]["task_id"] == shown
    assert memory["optimization_insights"][0]["area"] == shown
    assert memory["domain_knowledge"][0]["subject"] == shown
    assert {hit["area"] for hit in found["hits"]} == {shown}
    assert unknown["unknown_records"] == [name]
    assert leased.is_error == hides(name), leased.content
    assert [lease["resource"] for lease in leases] == [f"file:{name}"] * (not leased.is_error)
    assert outside(tmp_path) == before


async def test_what_is_no_name_of_an_agent_is_told_what_one_is(server: Any) -> None:
    async with Client(server) as client:
        said = await refusal(client, "memory_load", agent="ML-Orchestrator")
    assert "'ML-Orchestrator' is not an agent's name. Use small letters" in said
    assert "pattern" not in said


@pytest.mark.parametrize(
    ("tool", "given", "told"),
    [
        (
            "baseline_save",
            {"agent": ME, "name": "my base!", "source": "builtin:iris"},
            "Argument 'name': must be 1 to 64 letters, digits, _ . and -, the first a letter or "
            "digit (got 'my base!').",
        ),
        (
            "message_send",
            {"agent": ME, "content": "x", "message_type": "Big News"},
            "Argument 'message_type': must be small letters, digits and '_', 63 at most, the "
            "first a letter, such as 'insight' (got 'Big News').",
        ),
        (
            "message_send",
            {"agent": ME, "content": "x", "idempotency_key": "@mine"},
            "Argument 'idempotency_key': must not begin with '@', as keys of the server's own do "
            "(got '@mine').",
        ),
        (
            "message_inbox",
            {"agent": ME, "cursor": "page 2"},
            "Argument 'cursor': must be the next_cursor of the page before, as it stands there "
            "(got 'page 2').",
        ),
        (
            "drift_check",
            {"reference": "builtin:iris", "current": "builtin:iris", "chunk": "5 days"},
            "Argument 'chunk': must be written like 500rows, 6h, 1d, 1w or 1mo, with any whole "
            "number (got '5 days').",
        ),
        (
            "prompt_improve",
            {"prompt": "x", "rules": ["Clear Goal"]},
            "Argument 'rules.0': must be a rule's name, of small letters and '_' (got 'Clear "
            "Goal').",
        ),
        (
            "prompt_submit",
            {"agent": ME, "session": "A B"},
            "Argument 'session': must be the session that prompt_propose gave, as it stands there "
            "(got 'A B').",
        ),
    ],
    ids=["baseline", "message type", "key", "cursor", "chunk", "rule", "session"],
)
async def test_what_is_no_name_is_told_in_words_what_one_is(
    server: Any, tool: str, given: dict[str, Any], told: str
) -> None:
    async with Client(server) as client:
        assert await refusal(client, tool, **given) == f"{tool} was not run. {told}"
