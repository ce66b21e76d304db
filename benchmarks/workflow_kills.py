"""Whether runs survive it when their worker is killed by SIGKILL again and again.

Runs of three steps are queued at once, and the worker that does them is killed at random moments:
one time in four as soon as it has its lease, else after up to 1.5 s of work. Each step notes its
beginning and its end in a ledger. Afterwards it is counted:

- lost: runs that have not succeeded, whose steps have not all ended by the ledger, or that are not
  on record;
- doubled: steps that began once more although their end was on record, or although nobody had
  killed the worker that was at them, and runs on record that nobody asked for;
- cut between end and record: steps whose body ended and whose worker was killed before that was on
  record, so that they ran again. A workflow engine cannot know of those; that is why effects carry
  a key.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from _figures import Figure, show
from _ledger import Entry, at_once, read_ledger
from workflow import Ours, until

from ml_orchestrator.orchestration.models import RunStatus, StepStatus

LIMIT_S = 3_600.0
WORK_S = 1.5  # at most, between two kills
AT_ITS_START = 0.25  # share of the kills
STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Survived:
    """What is left after the kills."""

    lost: int
    doubled: int
    cut: int
    n_kills: int
    seconds: float


def killed_again_and_again(here: Ours, *, n_runs: int, n_kills: int, seed: int) -> Survived:
    """Queue runs, kill their worker so often, wait for the end and count."""
    rng, began_at = random.Random(seed), time.monotonic()
    run_ids = [here.start("bench-three", sleep_s=STEP_S) for _ in range(n_runs)]
    killed: dict[int, int] = {}
    done = sum(_kill(here, rng, killed) for _ in range(n_kills))
    _wait_for_all(here)
    statuses = {run_id: here.client.status(run_id) for run_id in run_ids}
    ledger = read_ledger(here.settings.home)
    ended = Counter((entry.run_id, entry.step) for entry in ledger if entry.what == "end")
    on_record = set(_all_known(here))
    lost = sum(
        status.state != "succeeded"
        or run_id not in on_record
        or not all(ended[run_id, step.name] for step in status.steps)
        for run_id, status in statuses.items()
    )
    twice = _begun_after_their_end(ledger, statuses) | at_once(ledger, killed)
    doubled = len(twice) + len(on_record - set(run_ids))
    cut = sum(n > 1 for deed, n in ended.items() if deed not in twice)
    return Survived(lost, doubled, cut, done, time.monotonic() - began_at)


def _kill(here: Ours, rng: random.Random, killed: dict[int, int]) -> bool:
    """Kill the worker at a random moment and note when; False if all work was done before."""
    if rng.random() > AT_ITS_START:
        n_before = len(read_ledger(here.settings.home))
        until(lambda: _works(here, n_before), every_s=0.02)
        time.sleep(rng.uniform(0.0, WORK_S))
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:
        at_ns = time.time_ns()
        if (pid := here.kill_worker()) is not None:
            killed[pid] = at_ns
            return True
        if not any(here.client.depths().values()):
            return False
        here.client.wake()
        time.sleep(0.01)
    raise TimeoutError("No worker came within an hour")


def _works(here: Ours, n_before: int) -> bool:
    """Whether a step has begun since; a run that a dead worker left counts as running, too."""
    here.client.wake()
    has_begun = len(read_ledger(here.settings.home)) > n_before
    return has_begun or not any(here.client.depths().values())


def _wait_for_all(here: Ours) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while any(here.client.depths().values()):
        if time.monotonic() > give_up_at:
            raise TimeoutError("The runs did not end within an hour")
        here.client.wake()
        time.sleep(0.25)


def _all_known(here: Ours) -> Iterator[str]:
    cursor = None
    while True:
        page = here.client.runs(limit=100, cursor=cursor)
        yield from (run.run_id for run in page.runs)
        if (cursor := page.next_cursor) is None:
            return


def _begun_after_their_end(
    ledger: Sequence[Entry], statuses: dict[str, RunStatus]
) -> set[tuple[str, str]]:
    """Return the steps that began once more although their end was on record."""
    begun = defaultdict(list)
    for entry in ledger:
        if entry.what == "begin":
            begun[entry.run_id, entry.step].append(entry.at)
    return {
        (run_id, step.name)
        for run_id, status in statuses.items()
        for step in status.steps
        if step.state == "succeeded"
        and max(begun[run_id, step.name], default=0) > _recorded_ns(step)
    }


def _recorded_ns(step: StepStatus) -> float:
    """Return when the end of a step was recorded; nothing may begin after that (to 1 ms)."""
    assert step.started_at is not None, step
    assert step.seconds is not None, step
    started = datetime.fromisoformat(step.started_at).timestamp()
    return (started + step.seconds + 0.001) * 1e9


@contextmanager
def _fresh() -> Iterator[Ours]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        opened = Ours(Path(folder))
        try:
            yield opened
        finally:
            opened.close()


def main() -> int:
    """Kill, count and print; 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="(%(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="30 runs and 3 kills")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for the worker: it imports our steps
    n_runs, n_kills = (30, 3) if given.quick else (given.runs, given.kills)
    with _fresh() as here:
        found = killed_again_and_again(here, n_runs=n_runs, n_kills=n_kills, seed=given.seed)
    figures = [
        Figure(f"{name} across {found.n_kills} kills", unit, value, None, None, None, n_runs)
        for name, unit, value in (
            ("lost", "runs", found.lost),
            ("doubled", "steps", found.doubled),
            ("cut between end and record", "steps", found.cut),
            ("all of it", "s", found.seconds),
        )
    ]
    show(figures, as_json=given.json)
    return int(found.lost + found.doubled > 0)


if __name__ == "__main__":
    sys.exit(main())
