"""Pipelines in a real worker: branches, conditions, fan-out, retries, caches, resuming."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import tests.orchestration.tiny_pipelines as tiny
from tests.orchestration.pipeline_bench import PipelineBench, open_pipelines
from tests.orchestration.workflow_bench import until

from ml_orchestrator.errors import ConflictError


@pytest.fixture(scope="module")
def pipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineBench]:
    with open_pipelines(tmp_path_factory.mktemp("pipes"), worker_idle_s=60) as opened:
        yield opened


def value(step: str) -> str:
    return f"${{steps.{step}.output.value}}"


def test_branches_run_side_by_side_and_meet_with_their_outputs(
    pipes: PipelineBench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = pipes.run(
        "run-diamond",
        {
            "top": {"with": {"value": 1}},
            "left": {"with": {"value": value("top"), "gate": str(gate)}},
            "right": {"with": {"value": value("top"), "gate": str(gate)}},
            "join": {"with": {"value": value("left")}, "needs": ["right"]},
        },
        outputs={"sum": value("join"), "of": "run ${run.id}"},
    )
    pipes.begun("left")
    pipes.begun("right")
    during = pipes.client.status(run_id)
    gate.touch()
    after = pipes.finished(run_id)

    assert [(step.name, step.state) for step in during.steps] == [
        ("top", "succeeded"),
        ("left", "running"),
        ("right", "running"),
        ("join", "pending"),
    ]
    assert (after.state, after.workflow) == ("succeeded", "pipeline:tested")
    assert after.result == {"sum": 4, "of": "run run-diamond"}
    assert [step.output and step.output["value"] for step in after.steps] == [2, 3, 3, 4]
    node = after.steps[3].node
    assert node is not None
    assert (node.uses, node.needs) == ("note", ["right", "left"])
    assert during.steps[3].node is not None
    assert during.steps[3].node.inputs is None
    assert node.inputs == {"ledger": str(pipes.ledger), "label": "join", "value": 3}
    assert pipes.client.runs(limit=1, cursor=None).runs[0].workflow == "pipeline:tested"


def test_a_condition_skips_a_branch_and_those_that_needed_it_alone(pipes: PipelineBench) -> None:
    run_id = pipes.run(
        "run-branches",
        {
            "first": {"with": {"value": 4}},
            "high": {"when": f"{value('first')} > 10", "needs": ["first"]},
            "low": {"when": f"not {value('first')} > 10", "with": {"value": 7}},
            "after-high": {"needs": ["high"]},
            "join": {"needs": ["high", "low"], "with": {"value": value("low")}},
        },
    )
    status = pipes.finished(run_id)
    steps = pipes.steps(run_id)

    assert status.state == "succeeded"
    assert {name: step.state for name, step in steps.items()} == {
        "first": "succeeded",
        "high": "skipped",
        "low": "succeeded",
        "after-high": "skipped",
        "join": "succeeded",
    }
    assert steps["high"].node is not None
    assert steps["high"].node.because == (
        "its condition does not hold: ${steps.first.output.value} > 10"
    )
    assert status.result is not None
    assert status.result["join"] == {"label": "join", "value": 9}


def test_a_step_runs_for_each_entry_and_gives_a_list(pipes: PipelineBench) -> None:
    run_id = pipes.run(
        "run-fan",
        {
            "fan": {
                "for_each": "${params.numbers}",
                "with": {"label": "fan-${item}", "value": "${item}"},
            },
            "none": {"for_each": [], "with": {"label": "never"}},
            "best": {
                "uses": "pick_best",
                "with": {"candidates": "${steps.fan.output}", "by": "value"},
            },
        },
        params={"numbers": {"type": "list", "default": [3, 9, 5]}},
    )
    status = pipes.finished(run_id)
    steps = pipes.steps(run_id)

    assert status.state == "succeeded"
    assert steps["fan"].output == {
        "items": [
            {"label": "fan-3", "value": 4},
            {"label": "fan-9", "value": 10},
            {"label": "fan-5", "value": 6},
        ]
    }
    assert steps["fan"].node is not None
    assert (steps["fan"].node.n_items, steps["fan"].node.n_done) == (3, 3)
    assert steps["none"].output == {"items": []}
    assert steps["best"].output == {"index": 1, "best": {"label": "fan-9", "value": 10}}


def test_a_step_is_tried_again_and_each_failure_is_on_record(pipes: PipelineBench) -> None:
    run_id = pipes.run(
        "run-retries",
        {
            "flaky": {"with": {"fails": 2}, "retries": {"max": 2, "delay_s": 0.01}},
            "hopeless": {"with": {"fails": 9}, "retries": {"max": 1, "delay_s": 0.01}},
            "refused": {"with": {"refuses": True}, "retries": 3},
            "behind": {"needs": ["hopeless"]},
            "aside": {"needs": ["flaky"]},
        },
    )
    status = pipes.finished(run_id)
    steps = pipes.steps(run_id)

    assert status.state == "failed"
    assert "Step 'hopeless' failed: hopeless failed, time 2." in str(status.error)
    assert "Step 'refused' failed: refused cannot be done." in str(status.error)
    assert {name: step.state for name, step in steps.items()} == {
        "flaky": "succeeded",
        "hopeless": "failed",
        "refused": "failed",
        "behind": "skipped",
        "aside": "succeeded",
    }
    assert steps["flaky"].node is not None
    assert [(f.unit, f.error) for f in steps["flaky"].node.failures] == [
        ("flaky", "flaky failed, time 1."),
        ("flaky#2", "flaky failed, time 2."),
    ]
    assert pipes.n_begun("refused") == 1
    assert pipes.n_begun("behind") == 0


def test_a_failed_run_goes_on_without_what_was_done(pipes: PipelineBench) -> None:
    run_id = pipes.run(
        "run-mended",
        {
            "good": {"with": {"value": 5}},
            "bad": {"with": {"value": value("good"), "fails": 1}},
            "beside": {"for_each": [1, 2], "with": {"label": "beside-${item}"}},
            "last": {"with": {"value": value("bad")}, "needs": ["beside"]},
        },
    )
    failed = pipes.finished(run_id)
    again = pipes.finished(pipes.client.resume(run_id).run_id)

    assert (failed.state, again.run_id, again.state) == ("failed", "run-mended.2", "succeeded")
    assert again.result == {"last": {"label": "last", "value": 8}}
    assert [pipes.n_begun(n) for n in ("good", "bad", "beside-1", "beside-2", "last")] == [
        1,
        2,
        1,
        1,
        1,
    ]
    assert pipes.steps(again.run_id)["good"].started_at == pipes.steps(run_id)["good"].started_at
    with pytest.raises(ConflictError, match=r"resumed before, as run-mended\.2"):
        pipes.client.resume(run_id)


def test_an_equal_step_takes_the_earlier_output_until_its_file_changes(
    pipes: PipelineBench,
) -> None:
    data = pipes.settings.home / "data.csv"
    steps = {"pure": {"uses": "note-pure", "cache": True, "with": {"file": "data.csv"}}}
    data.write_text("a\n1\n")
    first = pipes.finished(pipes.run("run-cold", steps))
    second = pipes.finished(pipes.run("run-warm", steps))
    data.write_text("a\n2\n")
    third = pipes.finished(pipes.run("run-changed", steps))

    assert first.result == second.result == third.result
    assert pipes.n_begun("pure") == 2
    nodes = [status.steps[0].node for status in (first, second, third)]
    assert [node and node.cached_from for node in nodes] == [None, "run-cold", None]


def test_a_step_that_takes_too_long_is_killed_and_said_so(
    pipes: PipelineBench, tmp_path: Path
) -> None:
    run_id = pipes.run(
        "run-slow",
        {
            "slow": {
                "with": {"gate": str(tmp_path / "never")},
                "timeout_s": 0.5,
            }
        },
    )
    status = pipes.finished(run_id)

    assert status.error == "Step 'slow' failed: It was not done within timeout_s (0.5 s)."
    assert [each for each in at_work(pipes) if run_id in each] == []


def at_work(pipes: PipelineBench) -> list[str]:
    """Return the commands of the processes that the worker has started and that go on."""
    found = []
    for process in psutil.Process(pipes.worker().pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found.append(" ".join(process.cmdline()))
    return found


def test_a_step_waits_for_the_memory_that_it_asks_for_and_too_much_is_refused(
    pipes: PipelineBench, tmp_path: Path
) -> None:
    gate, most_mb = tmp_path / "gate", psutil.virtual_memory().total / 1e6
    large = {"resources": {"memory_mb": 0.6 * most_mb}}
    run_id = pipes.run(
        "run-large",
        {
            "one": {**large, "with": {"gate": str(gate)}},
            "other": {**large, "with": {"gate": str(gate)}},
            "never": {"resources": {"cpu": 1_000}},
            "nor": {"resources": {"memory_mb": 2 * most_mb}},
        },
    )

    def deeds() -> list[tuple[str, str]]:
        lines = tiny.lines_of(pipes.ledger)
        return [(x["step"], x["is"]) for x in lines if x["step"] in ("one", "other")]

    until(lambda: len(deeds()) > 0, what="one of them begins")
    until(lambda: pipes.steps(run_id)["nor"].state == "failed", what="too much is refused")
    gate.touch()
    status = pipes.finished(run_id)
    steps, done = pipes.steps(run_id), deeds()
    order = list(dict.fromkeys(step for step, _ in done))  # whichever asked first

    assert status.state == "failed"
    assert str(steps["never"].error).startswith("It asks for 1000 cores and 0 MB; this worker has")
    assert "It asks for 0 cores and" in str(steps["nor"].error)
    assert sorted(order) == ["one", "other"]
    assert done == [(step, what) for step in order for what in ("begun", "done")]


def test_what_a_step_gives_must_be_what_it_says(pipes: PipelineBench) -> None:
    status = pipes.finished(pipes.run("run-lie", {"lie": {"uses": "lie"}}))

    assert "'lie' did not give what it says it gives: label: " in str(status.error)


def test_cancelling_stops_threads_at_their_next_report_and_a_resumed_run_goes_on(
    pipes: PipelineBench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = pipes.run(
        "run-cancelled",
        {
            "done": {},
            "thread": {"needs": ["done"], "with": {"gate": str(gate)}},
            "alone": {"uses": "note-alone", "needs": ["done"], "with": {"gate": str(gate)}},
            "end": {"needs": ["thread", "alone"]},
        },
    )
    pipes.begun("thread")
    pipes.begun("alone")
    cancelled = pipes.client.cancel(run_id)
    log = pipes.settings.home / "logs" / "worker.log"
    until(
        lambda: f"Step thread of run {run_id} stopped: The run was cancelled" in log.read_text(),
        what="the thread ends",
    )
    gate.touch()
    resumed = pipes.client.resume(run_id)
    status = pipes.finished(run_id)

    assert [step.state for step in cancelled.steps] == [
        "succeeded",
        "cancelled",
        "cancelled",
        "skipped",
    ]
    assert resumed.run_id == run_id
    assert status.state == "succeeded"
    assert [pipes.n_begun(name) for name in ("done", "thread", "alone", "end")] == [1, 2, 2, 1]
