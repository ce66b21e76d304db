"""MCP over HTTP on this machine, asked by a page in a browser whose name was made to mean us."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    project = tmp_path_factory.mktemp("project")
    server = build_server(Settings.read({}, project_dir=project, home=project / "home"))
    with TestClient(
        server.streamable_http_app(host="127.0.0.1"), base_url="http://127.0.0.1:8642"
    ) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:8642", "127.0.0.1.evil.test:8642", "169.254.169.254", "0.0.0.0"],
)
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.post("/mcp", json=CALL, headers={**ACCEPT, "Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "https://127.0.0.1.evil.test", "null", "file://"]
)
def test_another_origin_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("/mcp", json=CALL, headers={**ACCEPT, "Origin": origin})
    assert answer.status_code == 403


@pytest.mark.parametrize("given", [{}, {"Origin": "http://127.0.0.1:8642"}])
def test_this_machine_is_answered(client: TestClient, given: dict[str, str]) -> None:
    answer = client.post("/mcp", json=CALL, headers={**ACCEPT, **given})
    assert answer.status_code not in {403, 421}
