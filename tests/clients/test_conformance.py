import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml
from tests.clients.programs import PACKAGES, ROOT, Programs

pytestmark = pytest.mark.client

START_LIMIT_S = 60
REQUIREMENTS = PACKAGES / "@modelcontextprotocol/conformance/requirements"
REVISIONS = ("2025-11-25", "2026-07-28")

# What a server must do whatever its tools are called, by the revision that asks for it.
WITHOUT_FIXTURES = {
    "2025-11-25": (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
    "2026-07-28": (
        "tools-list",
        "resources-list",
        "prompts-list",
        "caching",
        "http-header-validation",
        "sep-2164-resource-not-found",
        "dns-rebinding-protection",
        "input-required-result-unsupported-methods",
    ),
}


@contextmanager
def serving(programs: Programs, *command: str) -> Iterator[str]:
    """Start a server on a free port, which is added to the command, and give its address."""
    port = free_port()
    log = programs.project / "server.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
            cwd=ROOT,
            env=programs.environment(ML_ORCHESTRATOR_HOME=str(programs.project / "data")),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
        try:
            wait_until_it_answers(process, f"http://127.0.0.1:{port}/mcp", log)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(START_LIMIT_S)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text()}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return  # it wants a better request, so it is there
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server did not answer within {START_LIMIT_S} s:\n{log.read_text()}")


@pytest.fixture(scope="module")
def fixture_url(shared_programs: Programs) -> Iterator[str]:
    """Give the address of a server of our factory with the fixtures of the suite."""
    home = str(shared_programs.project / "fixture" / "data")
    with serving(shared_programs, "-m", "tests.clients.conformance_server", home) as url:
        yield url


@pytest.fixture(scope="module")
def real_url(shared_programs: Programs) -> Iterator[str]:
    """Give the address of the server as it ships."""
    command = ("-m", "ml_orchestrator", "mcp", "--transport", "http", "--port")
    with serving(shared_programs, *command) as url:
        yield url


def statuses(folder: Path) -> dict[str, set[str]]:
    """Return what the checks of each scenario in a folder of results came to."""
    found = {}
    for checks in folder.rglob("checks.json"):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.+", checks.parent.name)
        assert scenario is not None
        found[scenario[1]] = {check["status"] for check in json.loads(checks.read_text())}
    return found


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_server_of_our_factory_meets_every_requirement_of_the_revision(
    shared_programs: Programs, fixture_url: str, revision: str
) -> None:
    done = shared_programs.conformance(
        "server", "--url", fixture_url, "--requirements", revision, "-o", revision
    )
    assert done.status == 0, done.said
    required = yaml.safe_load((REQUIREMENTS / f"{revision}.yaml").read_text())["server"]
    found = statuses(shared_programs.project / revision)
    assert [name for name in required if "SUCCESS" not in found[name]] == []
    assert [name for name in required if "FAILURE" in found[name]] == []


@pytest.mark.parametrize(
    ("revision", "scenario"),
    [(revision, scenario) for revision in REVISIONS for scenario in WITHOUT_FIXTURES[revision]],
)
def test_the_server_as_it_ships_passes_what_needs_no_fixture(
    shared_programs: Programs, real_url: str, revision: str, scenario: str
) -> None:
    folder = f"real-{revision}-{scenario}"
    done = shared_programs.conformance(
        *("server", "--url", real_url, "--scenario", scenario),
        *("--spec-version", revision, "-o", folder),
    )
    assert done.status == 0, done.said
    found = statuses(shared_programs.project / folder)
    assert "SUCCESS" in found[scenario]
    assert "FAILURE" not in found[scenario]
