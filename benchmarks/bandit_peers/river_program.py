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
from _bandit_worlds import Coins


def thompson(seed: int, rounds: int, means: list[float], took: list[float]) -> float:
    """Play one world once and return the regret."""
    arms, world = list(range(len(means))), Coins(seed, rounds, means)
    policy: Any = bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=seed)
    for _ in range(rounds):
        began = time.perf_counter()
        arm = policy.pull(arms)
        chose = time.perf_counter()
        reward = world.pull(arm)
        paid = time.perf_counter()
        policy.update(arm, reward)
        took.append(time.perf_counter() - paid + chose - began)
    return world.regret


if __name__ == "__main__":
    n_seeds, n_rounds, *given = sys.argv[2:]
    world = [float(mean) for mean in given]
    times: list[float] = []
    answer = [thompson(seed, int(n_rounds), world, times) for seed in range(int(n_seeds))]
    print(json.dumps({"answer": answer, "p50_us": float(np.median(times) * 1e6)}))
