"""The life of runs for longer: ``python -m tests.orchestration.soak_runs [--examples N]``.

First the state machine of ``run_states``, so many examples of forty steps each; then a run whose
database is locked for ten seconds at each of its steps; then runs of a real worker while the
database of everything else, and the file of its lease, are.
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.orchestration.pipeline_bench import open_pipelines
from tests.orchestration.run_states import RunStates
from tests.orchestration.run_world import NAMES, World
from tests.orchestration.test_run_faults import locked

LOCKED_S = 10.0


def main() -> None:
    """Run both, and say what was seen; what goes wrong ends the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="(%(default)s)")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # for workers: they import our steps
    began_at = time.monotonic()
    run_state_machine_as_test(
        RunStates,
        settings=settings(
            max_examples=given.examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{given.examples} lives agree with the model, in {time.monotonic() - began_at:.0f} s")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _locked_at_each_step(Path(folder))
    for name in ("state.db", "leases.db"):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            _locked_beside_a_worker(Path(folder), name)


def _locked_at_each_step(home: Path) -> None:
    world = World(home)
    try:
        world.start_worker()
        world.start_run("run-1x")
        for step in NAMES:
            world.until(lambda step=step: world.ledger.running("run-1x", step) == 1, step)  # type: ignore[misc]
            with locked(home / "workflows.db"):
                ordered = threading.Thread(target=world.order, args=("run-1x", step, "finish"))
                ordered.start()
                time.sleep(LOCKED_S)
            ordered.join()
        world.until(lambda: world.client.status("run-1x").is_over, "the run is over")
        assert world.client.status("run-1x").state == "succeeded"
        assert len(world.ledger.ended) == len(world.ledger.begun) == len(NAMES)
        print(f"locked {len(NAMES)} times for {LOCKED_S:.0f} s: each step was done once")
    finally:
        world.close()


def _locked_beside_a_worker(folder: Path, name: str) -> None:
    with open_pipelines(folder / "home", worker_idle_s=60) as pipes:
        gate = folder / "gate"
        steps = {"first": {"with": {"gate": str(gate)}}, "second": {"needs": ["first"]}}
        run_id = pipes.run("run-1x", steps)
        pipes.begun("first")
        with locked(pipes.settings.home / name):
            gate.touch()
            time.sleep(LOCKED_S)
        assert pipes.finished(run_id).state == "succeeded"
        print(f"{name} locked for {LOCKED_S:.0f} s: the run went on")


if __name__ == "__main__":
    main()
