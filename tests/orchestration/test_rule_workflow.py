"""The workflow that searches rule sets: killed, gone on with, and written to MLflow."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from tests.orchestration.workflow_bench import Bench, open_bench, until

from ml_orchestrator.errors import InvalidInputError, NotFoundError, PermissionDeniedError
from ml_orchestrator.learning.log import DecisionLog
from ml_orchestrator.learning.models import Decision, Option
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.run import optimise
from ml_orchestrator.orchestration.rule_searches import (
    check_rule_search,
    evidence_for,
    read_spec,
)
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

PROMPTS = [
    f"{task} It is {about}, part {part}."
    for task in (
        "Could you please summarise the following text: {text}",
        "Classify this ticket as bug, question or feature: {ticket}",
        "Write a nice blog post about tea and stuff.",
        "Please fix the bug in `parse()`. It crashes sometimes.",
    )
    for about in ("of our shop", "for the board", "from last week", "in the app", "new", "old")
    for part in range(4)  # 96: few held out confirm no small gain
]
FEW = ("brevity", "output_contract", "constraints", "role")
SEARCH = {
    "prompts": PROMPTS,
    "n_trials": 20,
    "seed": 5,
    "forbidden": [name for name in RULES if name not in FEW],
}
NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def bench(home: Path) -> Iterator[Bench]:
    with open_bench(home, worker_idle_s=60, lease_ttl_s=1.0) as opened:
        yield opened


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    for member in report["front"]:
        member["held_out"].pop("milliseconds")
    return report


def test_a_killed_search_goes_on_and_its_rules_are_registered(bench: Bench, tmp_path: Path) -> None:
    run_id = bench.start("optimize-rules", **SEARCH, register_as="shop-rules", alias="challenger")
    trials = bench.settings.home / "runs" / run_id / "rules" / "rule_trials.jsonl"
    until(lambda: trials.exists() and trials.read_bytes().count(b"\n") > 4, what="four trials")
    os.kill(bench.worker().pid, signal.SIGKILL)
    status = bench.finished(run_id)
    assert status.state == "succeeded", status.error
    assert status.result is not None
    spec = read_spec(bench.settings, validated(WORKFLOWS["optimize-rules"], SEARCH))
    whole = optimise(spec, evidence_for(bench.settings, spec), tmp_path / "whole").report
    found = status.result["report"]
    assert without_times(found) == without_times(whole.model_dump(mode="json"))
    assert (trials.parent.parent / "plots" / "front.png").read_bytes().startswith(b"\x89PNG")
    assert status.result["registered"]["uri"] == "prompts:/shop-rules@challenger"
    client = MlflowClient(bench.settings.mlflow_tracking_uri, bench.settings.mlflow_registry_uri)
    version = client.get_prompt_version("shop-rules", "challenger")
    assert json.loads(version.template) == found["recommended"]
    assert version.tags["level"] == "L0"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)


def check(settings: Settings, **params: object) -> None:
    check_rule_search(settings, validated(WORKFLOWS["optimize-rules"], params))


def test_what_could_only_fail_is_refused_before_it_is_queued(settings: Settings) -> None:
    with pytest.raises(InvalidInputError, match="so 12 or more"):
        check(settings, prompts=PROMPTS[:3])
    with pytest.raises(InvalidInputError, match="at least 122 are needed"):
        check(settings, prompts=PROMPTS[::4], budget=100)
    with pytest.raises(NotFoundError, match="nonsense"):
        check(settings, prompts=PROMPTS, required=["nonsense"])
    with pytest.raises(PermissionDeniedError, match="moved by a person"):
        check(settings, prompts=PROMPTS, register_as="shop", alias="production")
    with pytest.raises(InvalidInputError, match="An alias needs register_as"):
        check(settings, prompts=PROMPTS, alias="challenger")
    with pytest.raises(InvalidInputError, match="0 judged decisions are too few"):
        check(settings, level="L1")
    with pytest.raises(InvalidInputError, match="takes no baseline"):
        check(settings, level="L1", baseline=["role"])


@pytest.mark.parametrize(
    ("prompts", "told"),
    [(["Sum up."] * 301, "prompts: .*300"), (["x" * 20_001], r"prompts\.0: .*20000")],
)
def test_a_file_of_too_many_or_too_long_prompts_is_refused_by_name(
    settings: Settings, tmp_path: Path, prompts: list[str], told: str
) -> None:
    source = tmp_path / "many.jsonl"
    source.write_text("".join(json.dumps({"prompt": each}) + "\n" for each in prompts))
    with pytest.raises(InvalidInputError, match=told):
        read_spec(settings, {"prompts_source": str(source)})


def test_scores_and_prompts_are_read_from_files(settings: Settings, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["prompt,rules,score"]
    for k in range(40):
        rows += [f"p{k},,{int(rng.random() < 0.3)}", f"p{k},clarity+role,1"]
    (tmp_path / "scores.csv").write_text("\n".join(rows), encoding="utf-8")
    params = {"level": "L2", "scores_source": "scores.csv"}
    check(settings, **params)
    spec = read_spec(settings, params)
    report = optimise(spec, evidence_for(settings, spec), tmp_path / "run").report
    assert report.recommended is not None
    assert report.recommended.rules == ["clarity", "role"]
    (tmp_path / "odd.csv").write_text("text\na\nb", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="has no column prompt"):
        check(settings, prompts_source="odd.csv")


def test_logged_decisions_are_evidence(settings: Settings, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    database = open_database(settings.state_url, settings.home)
    log = DecisionLog(database, most_kept=10_000)
    options = [Option(rules=[], propensity=0.5), Option(rules=["role"], propensity=0.5)]
    for k in range(500):
        chosen = options[int(rng.integers(2))]
        decision = Decision(
            id=f"d{k}", chosen=chosen.rules, propensity=0.5, options=options, policy="uniform",
            policy_version="1", floor=1.0, n_judged=0, decided_at=NOW,
        )  # fmt: skip
        log.add(decision, agent="tester", context=[0.0], group="")
        reward = float(rng.random() < (0.9 if chosen.rules else 0.4))
        log.judge(f"d{k}", kind="outcome", verdict=None, reward=reward, agent="tester", now=NOW)
    database.close()
    spec = read_spec(settings, {"level": "L1"})
    report = optimise(spec, evidence_for(settings, spec), tmp_path / "run").report
    assert report.recommended is not None
    assert (report.level, report.recommended.rules) == ("L1", ["role"])
