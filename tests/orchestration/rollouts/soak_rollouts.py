"""Kill the worker of a roll-out with SIGKILL again and again, and look whether all agrees.

    python -m tests.orchestration.rollouts.soak_rollouts --rounds 1000 [--seed 0]

Each round starts one roll-out and kills its worker one to three times, each time before or after
a call that changes something (the model server, the alias, the record, the message) chosen at
random, so that over the rounds every state is met. A worker that is not killed ends it.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.orchestration.rollouts.invariants import violations
from tests.orchestration.rollouts.small_world import NEW, Bench, open_bench

CHANGING = frozenset(
    {"load_green", "set_traffic", "swap", "unload_green", "retire", "move_alias", "record", "tell"}
)
MOST_KILLS = 3
CANARY = {
    "strategy": "canary",
    "steps": [{"percent": 20, "pause_s": 20}, {"percent": 100}],
    "bake_s": 20.0,
}
QUIET = {"versions": {str(NEW): {"n": 3}}}
SLOW = {"versions": {str(NEW): {"ms": 90.0}}}
DRIFTS = {"versions": {str(NEW): {"shift": 1}}}
BREAKS = {"versions": {str(NEW): {"error_rate": 0.5}}}
Wrap = Callable[[str, Any], Any]  # the name of a part and the part
Scenario = tuple[Mapping[str, Any], Mapping[str, Any], str, list[str]]
SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "blue_green": ({}, {"bake_s": 20.0}, "promoted",
                       ["load 2", "swap to 2", "alias 2", "unload 1"]),
        "canary": ({}, CANARY, "promoted",
                   ["load 2", "canary 0.2", "swap to 2", "alias 2", "unload 1"]),
        "slow_in_bake": (SLOW, {"bake_s": 20.0}, "rolled_back",
                         ["load 2", "swap to 2", "alias 2", "swap to 1", "alias 1", "unload 2"]),
        "breaks_in_canary": (BREAKS, CANARY, "rolled_back",
                             ["load 2", "canary 0.2", "single 0", "unload 2"]),
        "quiet_and_unattended": (QUIET, {"bake_s": 20.0, "pause_limit_s": 40.0}, "rolled_back",
                                 ["load 2", "swap to 2", "alias 2", "swap to 1", "alias 1",
                                  "unload 2"]),
        "dies_at_load": ({"dies_at_load": [NEW]}, {}, "rolled_back", []),
        "drifts_as_a_shadow": (DRIFTS, {"strategy": "shadow", "shadow_s": 20.0}, "rolled_back",
                               ["load 2", "shadow 1", "single 0", "unload 2"]),
        "all_at_once": ({}, {"strategy": "all_at_once", "bake_s": 20.0}, "promoted",
                        ["load 2", "swap to 2", "alias 2", "unload 1"]),
        "first_breaks": ({**BREAKS, "blue": None, "alias": None}, {"from_version": None},
                         "rolled_back",
                         ["load 2", "swap to 2", "alias 2", "retire 2", "alias None"]),
    }
)  # fmt: skip


class Dying:
    """Hands every call on; kills its process before or after the n-th that changes something."""

    def __init__(self, inner: Any, fuse: "Fuse") -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in CHANGING:
            return method

        def guarded(*args: Any, **kwargs: Any) -> Any:
            is_last = self._fuse.burn()
            if is_last and self._fuse.is_before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(*args, **kwargs)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return guarded


class Fuse:
    """Counts calls down."""

    def __init__(self, n: int, *, is_before: bool) -> None:
        self._left = n
        self.is_before = is_before

    def burn(self) -> bool:
        self._left -= 1
        return self._left == 0


def burning(fuse: Fuse) -> Wrap:
    """Return what makes every part of a bench burn one fuse down."""
    return lambda _, part: Dying(part, fuse)


def undisturbed(_: str, part: Any) -> Any:
    """Leave a part as it is."""
    return part


def carry_out(home: Path, rollout_id: str, wrap: Wrap = undisturbed) -> str | None:
    """Run a worker in a process of its own; return the state it died in, or None if it ended."""

    def work() -> None:
        Bench(home, wrap=wrap).run(rollout_id)

    code = _forked(work)
    if code == 0:
        return None
    assert code == -signal.SIGKILL, f"the worker failed with {code}"
    with closing(Bench(home)) as bench:
        return bench.journal.get(rollout_id).state


def play(home: Path, name: str, rng: random.Random) -> tuple[list[str], list[str]]:
    """Play one round; return the states in which the worker died and what is wrong."""
    world, spec, ending, effects = SCENARIOS[name]
    with closing(open_bench(home, **world)) as bench:
        rollout_id = bench.begin(**spec)
    died: list[str] = []
    for _ in range(rng.randint(1, MOST_KILLS)):
        fuse = Fuse(rng.randint(1, 25), is_before=rng.random() < 0.5)
        state = carry_out(home, rollout_id, burning(fuse))
        if state is None:
            break
        died.append(state)
    else:
        assert carry_out(home, rollout_id) is None
    with closing(Bench(home)) as bench:
        wrong = violations(bench, rollout_id, effects)
        if (found := bench.journal.get(rollout_id).state) != ending:
            wrong.append(f"it ended as {found}, not {ending}")
    return died, wrong


def _forked(work: Callable[[], None]) -> int:
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        work()
    except BaseException as error:  # noqa: BLE001 a child never returns to the loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, died, n_wrong = random.Random(given.seed), Counter[str](), 0
    names = list(SCENARIOS)
    for number in range(given.rounds):
        name = names[number % len(names)]
        with tempfile.TemporaryDirectory(prefix="ml-rollout-") as folder:
            states, wrong = play(Path(folder), name, rng)
        died.update(states)
        if wrong:
            n_wrong += 1
            print(f"round {number} ({name}, killed in {', '.join(states)}): {'; '.join(wrong)}")
    shown = ", ".join(f"{state} {n}" for state, n in died.most_common())
    print(f"{given.rounds} rounds, {sum(died.values())} kills ({shown}): {n_wrong} violations")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
