"""prompt_propose and prompt_submit as a client uses them, from the examples to MLflow."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mlflow import MlflowClient
from tests.tools.asking import ask, refusal

from ml_orchestrator.app import build_server
from ml_orchestrator.settings import Settings

ME = "ml-orchestrator"
WORDS = ("alpha", "beta")
PROMPT = "Answer the question in {text}."


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    rows = [{"id": f"e{k}", "input": f"question {k}", "expected": WORDS[k % 2]} for k in range(30)]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "examples.jsonl").write_text(lines, encoding="utf-8")
    return Settings.read({}, home=home, project_dir=tmp_path)


def outputs(text: str, ids: dict[str, str]) -> dict[str, str]:
    """The toy model: it says the words that its prompt names."""
    return {id_: " ".join(w for w in WORDS if w in text) or "no idea" for id_ in ids}


async def hand_in(c: Any, brief: Any) -> Any:
    while brief["needs"]:
        given = {n["candidate"]: outputs(n["text"], n["examples"]) for n in brief["needs"]}
        brief = await ask(c, "prompt_submit", agent=ME, session=brief["session"], answers=given)
    return brief


async def begin(c: Any, **changes: Any) -> Any:
    given = {
        "agent": ME, "prompt": PROMPT, "examples": "examples.jsonl",
        "checks": [{"kind": "contains"}], **changes,
    }  # fmt: skip
    return await ask(c, "prompt_propose", **given)


async def test_a_session_ends_with_a_confirmed_prompt_in_mlflow(settings: Settings) -> None:
    async with Client(build_server(settings)) as c:
        brief = await hand_in(c, await begin(c))
        assert (brief["level"], brief["stage"]) == ("L2", "propose")
        for _ in range(4):
            if brief["stage"] != "propose":
                break
            word = brief["judged"][0]["expected"]
            text = f"{brief['parent']['text']} Name {word}."
            given = {text: outputs(text, brief["parent"]["examples"])}
            brief = await ask(
                c, "prompt_submit", agent=ME, session=brief["session"], candidates=given
            )
            brief = await hand_in(c, brief)
        early = await refusal(
            c, "prompt_submit", agent=ME, session=brief["session"], register_as="shop"
        )
        assert "nothing is registered" in early
        brief = await ask(c, "prompt_submit", agent=ME, session=brief["session"], finish=True)
        brief = await hand_in(c, brief)
        report = brief["report"]
        assert (report["gain"], report["is_confirmed"], report["scored_by"]) == (
            1,
            True,
            "checks",
        )
        done = await ask(
            c,
            "prompt_submit",
            agent=ME,
            session=brief["session"],
            register_as="shop",
            alias="challenger",
        )
    assert done["registered"] == "prompts:/shop@challenger"
    client = MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_registry_uri)
    found = client.get_prompt_version("shop", "challenger")
    assert (found.template, found.tags["level"]) == (report["text"], "L2")


async def test_what_does_not_fit_is_refused_with_what_would(settings: Settings) -> None:
    async with Client(build_server(settings)) as c:
        assert "needs prompt and examples" in await refusal(c, "prompt_propose", agent=ME)
        brief = await begin(c)
        session = brief["session"]
        again = await refusal(c, "prompt_propose", agent=ME, session=session, prompt="x")
        assert "give session alone" in again
        assert "No session 'gp-none'" in await refusal(
            c, "prompt_propose", agent=ME, session="gp-none"
        )
        missing = await refusal(
            c, "prompt_propose", agent=ME, prompt=PROMPT, examples="nowhere.jsonl"
        )
        assert "nowhere.jsonl" in missing
        denied = await refusal(
            c, "prompt_submit", agent="performance-engineer", session=session, finish=True
        )
        assert "may not use prompt_submit" in denied
        people = await refusal(
            c, "prompt_submit", agent=ME, session=session, register_as="shop", alias="production"
        )
        assert "moved by a person" in people
        score = await refusal(
            c, "prompt_submit", agent=ME, session=session, answers={"c0": {"e1": 2}}
        )
        assert "not within 0 and 1" in score
