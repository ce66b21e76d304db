"""The hook on prompts, run as Claude Code runs it: by its shell line, option on or off."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml_orchestrator.text.prompt_hints import MAX_CHARACTERS, prompt_hints

ROOT = Path(__file__).resolve().parents[2]
UNCLEAR = "Make the stuff on the page somehow nicer and better"


def command() -> str:
    groups = json.loads((ROOT / "hooks" / "hooks.json").read_text())["hooks"]["UserPromptSubmit"]
    (hook,) = (hook for group in groups for hook in group["hooks"] if hook["type"] == "command")
    assert hook["timeout"] == 2
    return str(hook["command"])


def submit(stdin: str, *, option: str | None, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the shell line with a ``python3`` that is this one, and none of this environment."""
    (path / "python3").symlink_to(sys.executable)
    environ = {"PATH": f"{path}:{os.defpath}", "CLAUDE_PLUGIN_ROOT": str(ROOT)}
    if option is not None:
        environ["CLAUDE_PLUGIN_OPTION_PROMPT_HINTS"] = option
    return subprocess.run(
        ["sh", "-c", command()],
        input=stdin,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def as_input(prompt: str) -> str:
    return json.dumps({"hook_event_name": "UserPromptSubmit", "prompt": prompt})


@pytest.mark.parametrize("option", [None, "", "off", "true"])
def test_it_does_nothing_unless_it_is_on(option: str | None, tmp_path: Path) -> None:
    done = submit(as_input(UNCLEAR), option=option, path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_it_tells_the_model_what_an_unclear_prompt_lacks(tmp_path: Path) -> None:
    done = submit(as_input(UNCLEAR), option="on", path=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    output = json.loads(done.stdout)["hookSpecificOutput"]
    assert output == {
        "hookEventName": "UserPromptSubmit",
        "additionalContext": prompt_hints(UNCLEAR),
    }
    assert "clarity: 4 vague words" in output["additionalContext"]
    assert "L0" in output["additionalContext"]


@pytest.mark.parametrize(
    "stdin", ["", "not json", "[]", "{}", '{"prompt": null}', '{"prompt": "\\ud800 make it nice"}']
)
def test_input_that_it_does_not_understand_lets_the_prompt_go_ahead(
    stdin: str, tmp_path: Path
) -> None:
    done = submit(stdin, option="on", path=tmp_path)
    assert done.returncode == 0
    assert stdin == "" or stdin not in done.stderr
    assert done.stdout == "" or json.loads(done.stdout)


@pytest.mark.parametrize(
    "prompt",
    [
        "yes",
        "go on",
        "great, now commit",
        "looks good, ship it",
        "nice, now run the tests",
        "yes, that is a good idea",
        "fix the flaky test in tests/test_api.py",
        "add a few more tests",
        "rename this to load_orders and push",
        "why does the build fail on main?",
        "update the changelog and open a pull request",
        "continue with the next item on the list",
        "now do the same for the other three endpoints, then run the linter and commit",
        "Refactor utils.py so that parse_line no longer reads the clock, and keep the tests green",
        "/compact make it nicer and better",
        "!ls somehow",
        "What is the capital of Australia?",
        "Mach die Seite irgendwie schöner und nicht so voll, bitte auch für die Kunden.",
        "请让这个页面更好看一些。",
        "Rename `load` to `load_orders` in orders.py, keep its tests, and return a unified diff. "
        "It must not change any other file, because two other teams work on them. Done when pytest "
        "passes.",
    ],
)  # fmt: skip
def test_it_keeps_silent_where_there_is_nothing_to_say(prompt: str) -> None:
    assert prompt_hints(prompt) is None


@pytest.mark.parametrize(
    "prompt",
    [
        "make it better",
        "Could you improve the whole thing somehow, it should be nicer and more modern for users?",
    ],
)
def test_it_speaks_where_a_task_is_but_vague(prompt: str) -> None:
    assert "- clarity: " in (prompt_hints(prompt) or "")


def test_hints_are_few_short_and_repeat_nothing_of_the_prompt() -> None:
    secret = "zebra-4711"
    long = f"Make {secret} somehow nicer, and some stuff better. " * 2_000
    hints = prompt_hints(long)
    assert len(long) > MAX_CHARACTERS
    assert hints is not None
    assert secret not in hints
    assert 1 <= hints.count("\n- ") <= 3
    assert len(hints) < 1_000
