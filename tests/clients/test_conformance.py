import json
import re
import shutil
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
from tests.clients.programs import PACKAGES, ROOT, Finished, Programs

pytestmark = [pytest.mark.client, pytest.mark.xdist_group("conformance")]

START_LIMIT_S = 60
REQUIREMENTS = PACKAGES / "@modelcontextprotocol/conformance/requirements"
REVISIONS = ("2025-11-25", "2026-07-28")

# What a server must do whatever its tools are called, by the revision that asks for it.
WITHOUT_FIXTURES = {
    "2025-11-25": (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
    "2026-07-28": (
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
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
def real_statuses(shared_programs: Programs) -> dict[str, dict[str, set[str]]]:
    """Give what the suite says of the server as it ships, by revision and scenario.

    As a whole the suite fails there: most scenarios call fixtures that a real server lacks.
    """
    command = ("-m", "ml_orchestrator", "mcp", "--transport", "http", "--port")
    found = {}
    with serving(shared_programs, *command) as url:
        for revision in REVISIONS:
            folder = f"real-{revision}"
            run_suite(shared_programs, url, revision, folder)
            found[revision] = statuses(shared_programs.project / folder)
    return found


def run_suite(programs: Programs, url: str, revision: str, folder: str) -> Finished:
    """Run the suite, and once more if an answer got lost.

    Once in some hundred runs (mcp 2.3, loaded machine) a request of the server to the client does
    not arrive, and the scenario waits until its time is up. Run by itself, 90 times out of 90
    it passed.
    """
    for attempt in range(2):
        results = programs.project / folder
        shutil.rmtree(results, ignore_errors=True)
        done = programs.conformance(
            "server", "--url", url, "--requirements", revision, "-o", folder
        )
        if attempt or "Scenario timed out" not in done.out:
            break
    return done


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
    done = run_suite(shared_programs, fixture_url, revision, revision)
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
    real_statuses: dict[str, dict[str, set[str]]], revision: str, scenario: str
) -> None:
    found = real_statuses[revision][scenario]
    assert "SUCCESS" in found
    assert "FAILURE" not in found
