"""What README and the pages under docs/ show: the Python runs, and the commands exist."""

import html
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.plugin.lint_agents import PREFIX

from ml_orchestrator.cli import main
from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.tools import TOOLS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "hooks/README.md")]
PAGES = sorted([*OTHERS, *DOCS.rglob("*.md")])
LIMIT_S = 120.0

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@dataclass(frozen=True, slots=True)
class Example:
    """A fenced block of a page."""

    page: str
    kind: str
    code: str


def examples(*kinds: str) -> Iterator[Any]:
    """Yield every block of these languages as a test parameter named after its page."""
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        blocks = [b for b in _FENCE.findall(page.read_text(encoding="utf-8")) if b[0] in kinds]
        for number, (kind, code) in enumerate(blocks, start=1):
            yield pytest.param(Example(name, kind, code), id=f"{name}-{number}")


def commands() -> Iterator[Any]:
    """Yield every line of a shell block, without its comment."""
    for parameter in examples("", "bash", "sh", "console"):
        (example,) = parameter.values
        for line in example.code.splitlines():
            if words := shlex.split(line, comments=True):
                yield pytest.param(words, id=f"{example.page}: {' '.join(words)[:60]}")


def run(command: list[str], home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program in a project of its own, with little of our environment."""
    return subprocess.run(
        command,
        cwd=home.parent,
        env={
            "PATH": os.environ["PATH"],
            "ML_ORCHESTRATOR_HOME": str(home),
            "ML_ORCHESTRATOR_LOG_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("example", [*examples("python")])
def test_the_python_shown_runs_in_a_fresh_project(example: Example, home: Path) -> None:
    ran = run([sys.executable, "-c", example.code], home)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("example", [*examples("json")])
def test_the_configuration_shown_is_json_that_starts_our_server(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    (server,) = json.loads(example.code)["mcpServers"].values()
    assert Path(server["command"]).name == "ml-orchestrator"
    must_be_known(server["args"], capsys)


@pytest.mark.parametrize("words", [*commands()])
def test_the_commands_shown_exist(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    program = Path(words[0]).name
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif program == "ml-orchestrator":
        must_be_known(words[1:], capsys)
    elif program in ("python", "python3"):
        assert (ROOT / words[1]).is_file()
    elif program == "plugin":  # /plugin in Claude Code
        assert words[1:3] in (["marketplace", "add"], ["install", installed_as()])
    else:
        assert program == "claude", f"nothing checks {words}; add it here"
        assert words[1].startswith("-"), f"nothing checks {words}; add it here"
        assert {word for word in words if word.startswith("mcp__")} <= {f"{PREFIX}*"}


@pytest.mark.parametrize(
    "words", [each for each in commands() if each.values[0][1:3] == ["call", "workflow_run"]]
)
def test_the_workflows_shown_take_these_parameters(words: list[str]) -> None:
    given = dict(word.split("=", maxsplit=1) for word in words[3:])
    assert validated(WORKFLOWS[given["name"]], json.loads(given["params"]))


def test_the_data_shown_in_a_terminal_are_written_by_the_demo() -> None:
    page = (DOCS / "first-five-minutes.md").read_text(encoding="utf-8")
    shown = {*re.findall(r"demo-output/(\w+)\.csv", page)}
    demo = (ROOT / "examples/demo.py").read_text(encoding="utf-8")
    assert "whole_survey" in shown
    assert [name for name in shown if f'"{name}": survey' not in demo] == []
    assert "data/visits.csv" not in page


def installed_as() -> str:
    """Return the name under which the marketplace of this folder offers the plug-in."""
    market = json.loads((ROOT / ".claude-plugin" / "marketplace.json").read_text())
    return f"{market['plugins'][0]['name']}@{market['name']}"


def must_be_known(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Fail unless the command line has these options, without doing what they say."""
    acts = [word for word in arguments[:2] if not word.startswith("-")]
    with pytest.raises(SystemExit):
        main([*acts, "--help"])
    manual = capsys.readouterr().out
    options = [word for word in arguments[1:] if word.startswith("--")]
    assert [option for option in options if option not in manual] == []


def test_the_health_command_says_that_a_fresh_project_is_healthy(home: Path) -> None:
    ran = run([sys.executable, "-m", "ml_orchestrator", "health"], home)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("healthy: ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = set(leaves(site["nav"]))
    assert listed == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


def test_every_decision_has_a_number_of_its_own_in_its_name_and_its_title() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    titles = [int(page.read_text(encoding="utf-8").split(".", 1)[0].lstrip("# ")) for page in pages]
    assert titles == [int(page.name[:4]) for page in pages]
    assert titles == sorted(set(titles))


def leaves(entry: object) -> Iterator[str]:
    """Yield the file names in a navigation tree."""
    if isinstance(entry, str):
        yield entry
        return
    assert isinstance(entry, list | dict)
    for part in entry.values() if isinstance(entry, dict) else entry:
        yield from leaves(part)


@pytest.mark.parametrize("page", ["concepts", "security", "troubleshooting", "other-clients"])
def test_a_page_names_no_tool_that_does_not_exist(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    families = {tool.partition("_")[0] for tool in TOOLS}
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) - {*DRIFT_TESTS, *WORKFLOWS}
    assert {w for w in words if w.partition("_")[0] in families} <= set(TOOLS)


def test_the_picture_was_made_from_what_the_demo_prints() -> None:
    chapters = re.findall(r'say\(\d+, "([^"]+)"\)', (ROOT / "examples/demo.py").read_text())
    picture = (DOCS / "pictures" / "demo.svg").read_text(encoding="utf-8")
    shown = html.unescape(re.sub(r"<[^>]+>", "", picture)).replace("\xa0", " ")
    assert len(chapters) == 10
    assert [title for title in chapters if title not in shown] == []
