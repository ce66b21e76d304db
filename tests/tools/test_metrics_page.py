"""``/metrics`` of the HTTP transport."""

from pathlib import Path

from mcp import Client
from starlette.testclient import TestClient
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.page import is_ours


async def test_calls_errors_and_the_queue_are_counted(tmp_path: Path) -> None:
    server = build_server(Settings.read({}, project_dir=tmp_path))
    async with Client(server) as client:
        for _ in range(3):
            await ask(client, "memory_load", agent="ml-orchestrator")
        await refusal(client, "workflow_status", run_id="run-none")
        await client.call_tool("no_such_tool_at_all", {})
        page = TestClient(server.streamable_http_app(), base_url="http://127.0.0.1").get("/metrics")

    assert is_ours(page.status_code, page.text)  # as the doctor asks
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = page.text.splitlines()
    name = "mcp_server_operation_duration_seconds_count"
    called = 'mcp_method_name="tools/call",gen_ai_operation_name="execute_tool",gen_ai_tool_name='
    assert f'{name}{{{called}"memory_load"}} 3' in lines
    assert f'{name}{{{called}"workflow_status",error_type="tool_error"}} 1' in lines
    assert 'ml_orchestrator_queue_depth{queue="runs",state="queued"} 0' in lines
    assert 'ml_orchestrator_events_behind{subscriber="search-memories"} 0' in lines
    assert "no_such_tool_at_all" not in page.text  # callers do not choose what is counted
    assert f'{called}"_OTHER"' in page.text


def test_a_page_that_was_led_here_by_another_name_is_refused(tmp_path: Path) -> None:
    app = build_server(Settings.read({}, project_dir=tmp_path)).streamable_http_app()
    page = TestClient(app, base_url="http://evil.test").get("/metrics")
    assert (page.status_code, is_ours(403, page.text)) == (403, True)
