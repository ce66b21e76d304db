"""Prompt rules chosen, judged and evaluated, through the client."""

from pathlib import Path
from typing import Any, get_args

import pytest
from mcp.client import Client
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.learning.policies import POLICIES
from ml_orchestrator.settings import PromptPolicy, Settings

BEGUN = (
    "Write to the residents of Quay Street that the water main is replaced from 4 to 8 March, "
    "between 8:00 and 16:00, and that tap water may be brown for an hour afterwards."
)
CLASSIFY = "Please classify this ticket as bug, question or praise: {ticket}"
ME = "ml-orchestrator"
CHANCES = {"did": ["a", "b"] * 100, "for_a": [0.9] * 200, "for_b": [0.1] * 200}


def server(project: Path, **given: Any) -> Any:
    return build_server(Settings.read({}, project_dir=project, **given))


async def test_a_selection_is_judged_once_and_the_log_says_what_came_of_it(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        for _ in range(24):
            found = await ask(client, "prompt_select", agent=ME, prompt=CLASSIFY)
            decision = found["decision"]
            verdict = "accepted" if "examples" in decision["chosen"] else "rejected"
            told = await ask(
                client, "prompt_feedback", agent=ME, decision_id=decision["id"], verdict=verdict
            )
        again = await ask(
            client, "prompt_feedback", agent=ME, decision_id=decision["id"], verdict=verdict
        )
        refused = await refusal(
            client, "prompt_feedback", agent=ME, decision_id=decision["id"], reward=0.5
        )
        report = await ask(client, "policy_evaluate", target="uniform")

    assert found["improvement"]["level"] == "L0"
    applied = {each["rule"] for each in found["improvement"]["applied"]}
    assert applied <= set(decision["chosen"])
    assert sum(option["propensity"] for option in decision["options"]) > 0.999
    assert decision["n_judged"] == 23
    assert (told["level"], told["is_repeat"], again["is_repeat"]) == ("L1", False, True)
    assert "has outcome feedback already" in refused
    assert report["n"] == 24
    assert report["level"] == "L1"
    assert report["notices"][0] == "24 of the newest 24 decisions were judged."


async def test_a_prompt_that_would_only_be_asked_about_is_one_to_learn_from(tmp_path: Path) -> None:
    """What a rule would write into it is what is tried and judged."""
    async with Client(server(tmp_path)) as client:
        improved = await ask(client, "prompt_improve", prompt=BEGUN)
        found = await ask(client, "prompt_select", agent=ME, prompt=BEGUN)

    assert improved["text"] == BEGUN
    assert found["decision"]["options"]
    assert any("output_contract" in option["rules"] for option in found["decision"]["options"])


async def test_what_was_learned_outlives_the_server(tmp_path: Path) -> None:
    async with Client(server(tmp_path)) as client:
        found = await ask(client, "prompt_select", agent=ME, prompt=CLASSIFY)
    async with Client(server(tmp_path)) as client:
        await ask(
            client,
            "prompt_feedback",
            agent=ME,
            decision_id=found["decision"]["id"],
            verdict="edited",
        )
        later = await ask(client, "prompt_select", agent=ME, prompt=CLASSIFY)

    assert later["decision"]["n_judged"] == 1


async def test_a_setting_says_by_which_policy_rules_are_chosen(tmp_path: Path) -> None:
    async with Client(server(tmp_path, prompt_policy="lin_ucb")) as client:
        for _ in range(8):
            found = await ask(client, "prompt_select", agent=ME, prompt=CLASSIFY)
            decision = found["decision"]
            reward = float(decision["chosen"] == [])
            await ask(
                client, "prompt_feedback", agent=ME, decision_id=decision["id"], reward=reward
            )

    assert decision["policy"] == "lin_ucb"
    chances = {round(option["propensity"], 6) for option in decision["options"]}
    n = len(decision["options"])
    # one candidate, or several that are equally good, share what the floor of .1 leaves
    assert len(chances) == 2
    assert min(chances) == round(0.1 / n, 6)


def test_every_policy_can_be_set_and_no_other(tmp_path: Path) -> None:
    set_one = [
        Settings.read({"ML_ORCHESTRATOR_PROMPT_POLICY": name}, project_dir=tmp_path).prompt_policy
        for name in POLICIES
    ]

    assert set_one == list(POLICIES)
    assert set(POLICIES) == set(get_args(PromptPolicy))
    with pytest.raises(InvalidInputError, match="ML_ORCHESTRATOR_PROMPT_POLICY"):
        Settings.read({}, project_dir=tmp_path, prompt_policy="best")


async def test_a_prompt_that_no_rule_fits_comes_back_unchanged_and_undecided(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        found = await ask(client, "prompt_select", agent=ME, prompt="Übersetze das ins Englische.")

    assert found["decision"] is None
    assert found["improvement"]["text"] == "Übersetze das ins Englische."
    assert found["improvement"]["skipped"] == []  # nobody named a rule


async def test_a_table_is_evaluated_or_refused_with_the_reason(tmp_path: Path) -> None:
    good = {
        "reward": [1.0, 0.0] * 100,
        "propensity": [0.5] * 200,
        "wanted": [0.9, 0.1] * 100,
    }
    thin = {"reward": [1.0] * 200, "propensity": [1.0] * 200, "wanted": [0.5] * 200}

    async with Client(server(tmp_path)) as client:
        report = await ask(client, "policy_evaluate", target="wanted", table=good)
        refused = await ask(client, "policy_evaluate", target="wanted", table=thin)
        said = await refusal(
            client, "policy_evaluate", target="wanted", table=good, contexts=["reward"]
        )
        misnamed = await refusal(
            client, "policy_evaluate", target="wanted", table=good, columns={"rewards": "reward"}
        )
        modelled = await ask(
            client,
            "policy_evaluate",
            target="wanted",
            table=good | CHANCES,
            columns={"action": "did", "chance:a": "for_a", "chance:b": "for_b"},
        )
        empty = await refusal(client, "policy_evaluate", target="uniform")

    assert report["estimates"]["snips"]["value"] == 0.9
    assert report["conclusion"].startswith("The policy would have earned more")
    assert (refused["is_refused"], refused["estimates"]) == (True, {})
    assert "0.500 and not near 1" in refused["reason"]
    assert "needs chance:ACTION in columns for every action" in said
    assert "not 'rewards'" in misnamed
    assert modelled["best"] == "doubly_robust"
    assert "0 of 0 logged decisions have outcome feedback" in empty


async def test_a_stranger_may_not_decide_or_judge_and_nobody_in_a_read_only_server(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path)) as client:
        said = await refusal(client, "prompt_select", agent="stranger", prompt=CLASSIFY)
        unknown = await refusal(
            client, "prompt_feedback", agent=ME, decision_id="nobody", verdict="accepted"
        )
    async with Client(server(tmp_path, mode="read-only")) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}

    assert "may not use prompt_select" in said
    assert "No decision 'nobody'" in unknown
    assert names & {"prompt_select", "prompt_feedback", "policy_evaluate"} == {"policy_evaluate"}
