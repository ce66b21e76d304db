"""The whole main job on real data, over stdio, as an MCP client would do it.

Data: the RAND Health Insurance Experiment (1974-1982, 20,190 person-years) as it ships with
statsmodels (public domain). The question: who will see a doctor this year?
"""

import asyncio
import base64
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import statsmodels.api as sm
from mcp import Client, StdioServerParameters
from mcp.types import ImageContent, TextContent

ME = "ml-orchestrator"
OPS = "infrastructure-specialist"
FOLDER = Path("demo-output")
MODEL = "doctor-visits"
BAR = 30
LIMIT_S = 25.0  # for one training


def prepare(folder: Path) -> dict[str, Path]:
    """Write the survey as CSV files: samples of it, and the two kinds of plan."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    survey = pl.from_pandas(sm.datasets.randhie.load_pandas().data)
    survey = survey.with_columns((pl.col("mdvis") > 0).alias("saw_doctor")).drop("mdvis")
    survey = survey.sample(fraction=1.0, shuffle=True, seed=7)
    is_free = pl.col("lncoins") == 0
    tables = {
        "small_sample": survey[:1_500],
        "whole_survey": survey[:9_000],
        "other_sample": survey[9_000:13_000],
        "free_care": survey.filter(is_free)[:3_000],
        "cost_sharing": survey.filter(~is_free)[:3_000],
    }
    paths = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.write_csv(paths[name])
    return paths


class Walk:
    """Calls tools and prints what comes back."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.pictures: list[Path] = []

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that is expected to succeed and return its structured result."""
        result = await self._client.call_tool(tool, arguments, progress_callback=show_progress)
        if result.is_error:
            raise SystemExit(f"{tool} failed: {text_of(result.content)}")
        for part in result.content:
            if isinstance(part, ImageContent):
                self._keep(tool, base64.b64decode(part.data))
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that is expected to refuse and return its words."""
        result = await self._client.call_tool(tool, arguments)
        if not result.is_error:
            raise SystemExit(f"{tool} should have refused")
        return text_of(result.content)

    def _keep(self, tool: str, png: bytes) -> None:
        path = FOLDER / f"{len(self.pictures) + 1:02d}_{tool}.png"
        path.write_bytes(png)
        self.pictures.append(path)


def text_of(content: Any) -> str:
    """Return the text parts of a result."""
    return " ".join(part.text for part in content if isinstance(part, TextContent))


async def show_progress(progress: float, total: float | None, message: str | None) -> None:
    """Draw one line that is overwritten by the next."""
    filled = int(BAR * progress / (total or 100))
    line = f"   [{'#' * filled}{'.' * (BAR - filled)}] {message or ''}"
    end = "\r" if sys.stdout.isatty() else "\n"
    print(line[:110].ljust(110) if end == "\r" else line, end=end, flush=True)


def say(number: int, title: str) -> None:
    """Head a chapter of the walk."""
    print(f"\n{number:2d}. {title}", flush=True)


async def train(walk: Walk, source: Path, n_trials: int) -> Any:
    """Train on one file and follow the run to its end."""
    started = await walk.call(
        "training_start",
        agent=ME,
        source=str(source),
        target="saw_doctor",
        model=MODEL,
        trainers=["linear", "histogram_boosting"],
        n_trials=n_trials,
        timeout_s=LIMIT_S,
        n_folds=3,
        seed=1,
        idempotency_key=f"demo-{source.stem}",
    )
    while True:
        status = await walk.call("training_status", run_id=started["run_id"], wait_s=45.0)
        if status["state"] not in ("queued", "running"):
            break
    if status["state"] != "succeeded":
        raise SystemExit(f"Training {status['state']}: {status['error']}")
    return status


async def walk_all(client: Client, paths: dict[str, Path]) -> list[Path]:
    """Walk from the first look at the data to the roll-back."""
    walk = Walk(client)
    say(1, "Load memory: what do we know already?")
    memory = await walk.call("memory_load", agent=ME)
    print(f"   {memory['memory']['n_tasks']} tasks, {memory['unread']['n_unread']} unread messages")

    say(2, "Profile the survey")
    profile = await walk.call(
        "dataset_profile", source=str(paths["whole_survey"]), target="saw_doctor", with_plot=True
    )
    print(
        f"   {profile['n_rows']:,} rows, {profile['n_columns']} columns: "
        f"{profile['suggested_task']} by {profile['suggested_metric']}"
    )

    say(3, "Train version 1 on the first 1,500 rows")
    first = await train(walk, paths["small_sample"], n_trials=6)
    describe(first)

    say(4, "Verify version 1 and make it @champion")
    report = await walk.call("registry_verify", model=MODEL, version=1)
    print(f"   integrity {'holds' if report['ok'] else 'FAILS'}: {report['n_files']} files")
    await move(walk, "champion", 1, None, "first model that beats the baseline")

    say(5, "Train version 2 on the whole survey; it becomes @challenger")
    second = await train(walk, paths["whole_survey"], n_trials=10)
    describe(second)
    await walk.call("training_status", run_id=second["run_id"], with_plots=True)

    say(6, "Promote the challenger, by plan and compare-and-set")
    plan = await move(walk, "champion", 2, 1, "better held-out score on more data", dry_run=True)
    print(f"   plan {plan['plan']['digest'][:12]}: allowed={plan['plan']['allowed']}")
    await move(
        walk, "champion", 2, 1, "better held-out score on more data",
        plan_digest=plan["plan"]["digest"],
    )  # fmt: skip
    stale = await walk.refused(
        "registry_move_alias",
        agent=OPS,
        model=MODEL,
        alias="champion",
        version=1,
        expected_version=1,
        reason="somebody who looked too early",
    )
    print(f"   a stale move is refused: {stale}")

    say(7, "Ask the champion about two people")
    table = pl.read_csv(paths["other_sample"]).drop("saw_doctor")
    answer = await walk.call(
        "model_predict", model=MODEL, version="champion", rows=table.head(2).to_dicts()
    )
    print(f"   {answer['predictions']}")

    say(8, "Check drift: another sample of the same survey, then another kind of plan")
    for reference, current in (("whole_survey", "other_sample"), ("free_care", "cost_sharing")):
        drift = await walk.call(
            "drift_check",
            reference=str(paths[reference]),
            current=str(paths[current]),
            with_plot=True,
        )
        named = ", ".join(drift["drifted_columns"]) or "none"
        print(
            f"   {reference} -> {current}: {drift['n_drifted']} of {drift['n_columns']} "
            f"columns drifted: {named}; as a whole: {'yes' if drift['is_drifted'] else 'no'}"
        )

    say(9, "Roll back, and tell colleagues")
    await move(walk, "champion", "previous", 2, "columns differ: back until they are understood")
    await walk.call(
        "message_send",
        agent=ME,
        message_type="warning",
        content="lncoins differs between plans; @champion is back at version 1.",
        target_agents=["data-pipeline-specialist"],
        priority="high",
        metadata={"model_alias": "@champion"},
    )
    inbox = await walk.call("message_inbox", agent="data-pipeline-specialist")
    print(f"   data-pipeline-specialist has {inbox['n_unread']} unread message")

    say(10, "Remember what happened")
    await walk.call(
        "memory_save",
        agent=ME,
        task={
            "task_description": f"Trained and promoted {MODEL}, then rolled back: columns drifted",
            "outcome": "partial",
            "key_insights": ["More rows helped more than more trials"],
        },
    )
    page = await walk.call("registry_list", model=MODEL)
    for version in page["versions"]:
        aliases = " ".join(f"@{alias}" for alias in version["aliases"]) or "-"
        print(f"   version {version['version']}: {aliases}")
    return walk.pictures


async def move(
    walk: Walk, alias: str, version: int | str, expected: int | None, reason: str, **more: Any
) -> Any:
    """Move an alias and say so."""
    result = await walk.call(
        "registry_move_alias",
        agent=ME,
        model=MODEL,
        alias=alias,
        version=version,
        expected_version=expected,
        reason=reason,
        **more,
    )
    if result["move"]:
        print(f"   @{alias}: {result['previous_version']} -> {result['move']['to_version']}")
    return result


def describe(status: Any) -> None:
    """Print what a finished training came to."""
    summary = status["result"]["summary"]
    score = summary["holdout"][summary["metric"]]
    print(
        f"\n   {summary['trainer']}: {summary['metric']} {score['estimate']:.3f} "
        f"[{score['low']:.3f}, {score['high']:.3f}] on {summary['n_rows_test']} rows it never saw; "
        f"{summary['n_trials']} trials, {summary['n_pruned']} pruned{ended_early(summary)}"
    )


def ended_early(summary: Any) -> str:
    """Say that a search had no time for the trials that were asked for."""
    if summary["stopped_by"] != "time":
        return ""
    return f"; its time limit of {LIMIT_S:g} s ended the search"


async def main() -> None:
    """Start the server in a fresh project and walk."""
    began = time.monotonic()
    print("ml-orchestrator demo: RAND Health Insurance Experiment (statsmodels, public domain)")
    paths = {name: path.resolve() for name, path in prepare(FOLDER).items()}
    home = paths["whole_survey"].parent / ".ml-orchestrator"
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ml_orchestrator", "--home", str(home), "mcp"],
        cwd=FOLDER,
        env={"ML_ORCHESTRATOR_LOG_LEVEL": "ERROR", "ML_ORCHESTRATOR_WORKER_IDLE_S": "5"},
    )
    async with Client(server) as client:
        pictures = await walk_all(client, paths)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Pictures:")
    for picture in pictures:
        print(f"   {picture}")
    print("Every trial, metric and model, in a browser:")
    print(f"   .venv/bin/mlflow ui --backend-store-uri sqlite:///{home / 'mlflow.db'}")


if __name__ == "__main__":
    asyncio.run(main())
