from pathlib import Path

import pytest
from tests.plugin.lint_agents import PREFIX
from tests.plugin.lint_skills import Offer, lint, lint_agent, lint_folders, main
from tests.plugin.skill_files import NotASkillError, ToolCall, read_calls, read_skill

DESCRIPTION = "Do a certain thing with our tools. Use it whenever that very thing has to be done."
CALL = 'memory_load {"agent": "me",\n  "limit": 3}'
GOOD = f"""---
name: some-skill
description: {DESCRIPTION}
---

# Do it

Read with `memory_load`; [a program](program.py) does the rest, then `ml-orchestrator:other-skill`.

Run by the tests:

```tool
{CALL}
```

Ran here with kfp 2.17.0, 2026-11-23:

```bash
python program.py
```
"""
OFFER = Offer({"memory_load": {"agent", "limit"}}, {"memory_load": ["agent"]}, {"memory_size"})


def faults_of(text: str) -> list[str]:
    return lint(
        text,
        name="some-skill",
        files=["SKILL.md", "program.py"],
        skills=["some-skill", "other-skill"],
        offer=OFFER,
    )


def test_a_sound_skill_has_no_faults() -> None:
    assert faults_of(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("---\nname", "name", "has no front matter"),
        ("name: some-skill", "name: [", "front matter that is not YAML"),
        ("name: some-skill", "name: another", "name 'another' is not the folder's name"),
        ("name: some-skill", "name: some-skill\nmodel: opus", "key 'model' is not used here"),
        (DESCRIPTION, "Too short.", "description has 10 characters; 80 to 400 fit"),
        (DESCRIPTION, "long " * 90, "description has 449 characters"),
        ("# Do it", "# Do it\n" + "line\n" * 140, "lines; 140 fit"),
        ("(program.py)", "(programme.py)", "link 'programme.py' leads nowhere"),
        ("[a program](program.py)", "a program", "file 'program.py' lies in the folder"),
        ("```bash", "```sh", "has language 'sh'"),
        ("Ran here with kfp 2.17.0, 2026-11-23:", "Run this:", "does not say in the line above"),
        ("kfp 2.17.0, 2026-11-23", "kfp, 2026-11-23", "does not say in the line above"),
        ("kfp 2.17.0, 2026-11-23", "kfp 2.17.0", "does not say in the line above"),
        ("Run by the tests:", "Written for mcp 2, not run here:", "so the tests must run it"),
        ("memory_load {", "memory_lode {", "call of 'memory_lode', which is no tool"),
        ('"limit"', '"limits"', "memory_load has no argument 'limits'"),
        ('"agent": "me",\n', "\n", "memory_load is called without 'agent'"),
        (CALL, "memory_load now", "is not a name and JSON"),
        (CALL, "memory_load [1]", "has arguments that are no object"),
        ("with `memory_load`", "with `memory_lode`", "text names 'memory_lode', which is no tool"),
        ("`ml-orchestrator:other-skill`", "`ml-orchestrator:gone`", "the skill 'gone'"),
    ],
)
def test_each_fault_is_found(old: str, new: str, fault: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    assert any(fault in found for found in faults_of(text)), faults_of(text)


def test_a_field_of_a_result_is_not_taken_for_a_tool() -> None:
    assert faults_of(GOOD.replace("with `memory_load`", "with `memory_size`")) == []


def test_calls_are_read_in_order_with_their_continuation_lines() -> None:
    assert read_calls(CALL + "\nmemory_load {}") == [
        ToolCall("memory_load", {"agent": "me", "limit": 3}),
        ToolCall("memory_load", {}),
    ]


def test_front_matter_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(NotASkillError, match="not a mapping"):
        read_skill("---\n- a\n---\ntext\n")


AGENT = (
    f"---\ntools: {PREFIX}memory_load, Read, Skill\nskills: some-skill\n---\n"
    "Call `ml-orchestrator:other-skill`.\n"
)


@pytest.mark.parametrize(
    ("old", "new", "faults"),
    [
        ("", "", []),
        ("skills: some-skill", "skills: gone", ["skill 'gone' does not exist"]),
        ("other-skill`", "absent`", ["skill 'absent' does not exist"]),
        ("Read, Skill", "Read", ["prompt names skills to call, but Skill is not granted"]),
        ("other-skill`", "some-skill`", ["Skill is granted but the prompt names no skill to call"]),
        (
            f"{PREFIX}memory_load",
            f"{PREFIX}memory_save",
            ["skill 'some-skill' is preloaded and calls memory_load, not granted"],
        ),
        ("---\ntools", "tools", ["has no front matter between two lines '---'"]),
    ],
)
def test_what_an_agent_says_about_skills_is_checked(old: str, new: str, faults: list[str]) -> None:
    skills = {"some-skill": ["memory_load"], "other-skill": ["memory_search"]}
    assert lint_agent(AGENT.replace(old, new, 1), skills) == faults


def test_a_folder_without_skills_is_a_fault(tmp_path: Path) -> None:
    assert lint_folders(tmp_path, tmp_path) == [f"{tmp_path}: no skills"]


def test_the_program_prints_each_fault_with_its_skill_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some-skill").mkdir()
    (tmp_path / "some-skill" / "SKILL.md").write_text(GOOD)
    assert main([str(tmp_path), str(tmp_path)]) == 1
    assert "some-skill: link 'program.py' leads nowhere" in capsys.readouterr().out
