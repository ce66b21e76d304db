"""The steps that ship, one after the other, on real data: from training to an alias."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_orchestrator.orchestration.desk import registry_for_a_step
from ml_orchestrator.orchestration.execution import Job, perform
from ml_orchestrator.orchestration.pipelines.executing import Record, carry_out
from ml_orchestrator.orchestration.pipelines.performing import Performer
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.orchestration.pipelines.units import StoredPlan
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database

DATA = "builtin:iris"
VERSION = "${steps.version.output.version}"
CHAIN = {
    "name": "chain",
    "steps": {
        "fit": {
            "uses": "train",
            "with": {"source": DATA, "trainers": ["naive_bayes"], "n_trials": 1, "n_folds": 2},
        },
        "version": {
            "uses": "register_version",
            "with": {"trained": "${steps.fit.output.trained}", "model": "flowers"},
        },
        "check": {"uses": "verify", "with": {"model": "flowers", "version": VERSION}},
        "score": {
            "uses": "evaluate",
            "needs": ["check"],
            "with": {"model": "flowers", "version": VERSION, "source": DATA},
        },
        "challenger": {
            "uses": "set_alias",
            "needs": ["score"],
            "with": {"model": "flowers", "version": VERSION, "alias": "challenger"},
        },
    },
    "outputs": {
        "trained": "${steps.fit.output}",
        "checked": "${steps.check.output}",
        "scored": "${steps.score.output}",
        "moved": "${steps.challenger.output}",
    },
}


def carried_out(settings: Settings) -> dict[str, Any]:
    """Carry the chain out in this process: real steps, no engine and no worker."""
    database = open_database(settings.state_url, settings.home)

    def report(
        fraction: float, message: str, numbers: Mapping[str, float] | None = None
    ) -> None: ...

    async def execute(job: Job) -> dict[str, Any]:
        return await asyncio.to_thread(perform, settings, job, report)

    performer = Performer(settings, database, execute)

    def reserve(name: str) -> Record:
        return performer.perform

    planned = plan_pipeline(CHAIN, {}, settings)
    stored = StoredPlan.of(
        {
            "params": planned.params,
            "actor": "tester",
            "steps": planned.order,
            "pipeline": planned.stored(),
        }
    )
    try:
        return asyncio.run(carry_out(stored, run_id="run-1", run_attempt=1, reserve=reserve))
    finally:
        database.close()


def test_a_chain_trains_registers_verifies_scores_and_points_an_alias(tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path, project_dir=tmp_path)
    found = carried_out(settings)
    with registry_for_a_step(settings) as desk:
        version = desk.store.version("flowers", 1)
        pointed_at = desk.store.alias_version("flowers", "challenger")

    assert found["trained"]["source"] == DATA
    assert found["checked"]["version"] == 1
    assert found["checked"]["manifest_digest"] == version.manifest_digest
    assert found["scored"]["n_rows"] == 150
    assert found["scored"]["scores"]["accuracy"] > 0.85
    low, high = found["scored"]["intervals"]["accuracy"]
    assert low <= found["scored"]["scores"]["accuracy"] <= high
    assert (found["moved"]["version"], found["moved"]["previous_version"]) == (1, None)
    assert pointed_at == 1
