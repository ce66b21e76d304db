"""The regret of river's Thompson sampling and its time: one JSON line on standard output.

Usage: ``river_program.py thompson SEEDS ROUNDS MEANS...``; run by ``benchmarks/bandits.py``.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from river import bandit, proba

sys.path.insert(0, str(Path(__file__).parents[1]))
from _bandit_worlds import coins


def thompson(seed: int, rounds: int, means: list[float], took: list[float]) -> float:
    """Play one world once and return the regret."""
    arms, rewards = list(range(len(means))), coins(seed, rounds, means)
    policy: Any = bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=seed)
    chosen: list[int] = []
    for row in rewards:
        began = time.perf_counter()
        arm = policy.pull(arms)
        policy.update(arm, bool(row[arm]))
        took.append(time.perf_counter() - began)
        chosen.append(arm)
    return float(max(means) * rounds - np.asarray(means)[chosen].sum())


if __name__ == "__main__":
    n_seeds, n_rounds, *given = sys.argv[2:]
    world = [float(mean) for mean in given]
    times: list[float] = []
    answer = [thompson(seed, int(n_rounds), world, times) for seed in range(int(n_seeds))]
    print(json.dumps({"answer": answer, "p50_us": float(np.median(times) * 1e6)}))
