from pathlib import Path

import pytest
from tests.plugin.lint_agents import PREFIX, lint, lint_folder, main

TOOLS = {"memory_load": {"agent", "limit"}, "training_start": {"agent", "n_trials"}}
DESCRIPTION = "A specialist in something, to be used whenever that something has to be looked at."
BODY = "You load what you know with `memory_load` and its `limit`. " + "You work with care. " * 60
GOOD = f"""---
name: some-agent
description: {DESCRIPTION}
tools: Read, {PREFIX}memory_load
model: inherit
color: purple
---

{BODY}
"""


def faults_of(text: str, *, file_name: str = "some-agent.md") -> list[str]:
    return lint(text, file_name=file_name, tools=TOOLS)


def test_a_sound_agent_has_no_faults() -> None:
    assert faults_of(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("color: purple", "color: mauve", "color 'mauve' is unknown"),
        ("color: purple\n", "", "color None is unknown"),
        ("model: inherit", "model: gpt", "model 'gpt' is unknown"),
        ("model: inherit", "permissionMode: plan", "key 'permissionMode' has no effect"),
        ("model: inherit", "memory: project", "key 'memory' has no effect"),
        ("name: some-agent", "name: Some Agent", "name 'Some Agent' is not kebab-case"),
        ("name: some-agent", "name: other", "name 'other' is not the file's name 'some-agent.md'"),
        (DESCRIPTION, "Too short.", "description has 10 characters; 80 to 600 fit"),
        (DESCRIPTION, "long " * 130, "description has 649 characters; 80 to 600 fit"),
        ("memory_load\nmodel", "memory_lode\nmodel", f"tool '{PREFIX}memory_lode' is granted but"),
        ("tools: Read, ", "tools: Bash, ", "tool 'Bash' is granted but does not exist"),
        ("tools: Read, ", "tools: Read, Read, ", "tool 'Read' is granted twice"),
        (f"{PREFIX}memory_load\n", "memory_load\n", "is granted by its short name"),
        (f"tools: Read, {PREFIX}memory_load\n", "", "would inherit every tool"),
        ("`memory_load`", "`memory_lode`", "prompt names 'memory_lode', which is no tool"),
        ("`limit`", "`max_rows`", "prompt names 'max_rows', which is no tool and no argument"),
        ("`limit`", "`training_start`", "'training_start', which the agent was not granted"),
        ("`limit`", f"{PREFIX}memory_load", "in full; use the short name"),
        ("`memory_load`", "it", "granted but the prompt never says what for"),
        ("tools: Read, ", "tools: Agent, Read, ", "only ml-orchestrator starts agents"),
        ("tools: Read, ", "tools: Agent(a:b), Read, ", "restrict nothing in a subagent"),
        ("`limit`", "`limit` and `Agent`", "the prompt's word on it do not agree"),
        (BODY, "`memory_load`", "prompt has 13 characters"),
        (BODY, BODY + "\nMore." * 85, "prompt has 86 lines; 85 fit"),
        ("---\nname", "name", "has no front matter"),
        ("name: some-agent", "name: [", "front matter that is not YAML"),
        (GOOD[4 : GOOD.index("\n---\n", 4)], "- a\n- b", "front matter that is not a mapping"),
    ],
)
def test_each_fault_is_found(old: str, new: str, fault: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    assert any(fault in found for found in faults_of(text)), faults_of(text)


def test_one_agent_may_start_others_and_says_whom() -> None:
    text = GOOD.replace("some-agent", "ml-orchestrator").replace("Read, ", "Read, Agent, ")
    file_name = "ml-orchestrator.md"

    (fault,) = faults_of(text, file_name=file_name)
    assert "the prompt's word on it do not agree" in fault
    assert faults_of(text.replace(BODY, f"`Agent` starts one. {BODY}"), file_name=file_name) == []


def test_a_folder_without_agents_is_a_fault(tmp_path: Path) -> None:
    assert lint_folder(tmp_path) == [f"{tmp_path}: no agent files"]


def test_the_program_prints_each_fault_with_its_file_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some-agent.md").write_text(GOOD.replace("purple", "mauve"))
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("some-agent.md: color 'mauve' is unknown")
