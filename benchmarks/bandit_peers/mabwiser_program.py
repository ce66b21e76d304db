"""What mabwiser decides and how long it takes: one JSON line on standard output.

Usage: ``mabwiser_program.py thompson SEEDS ROUNDS MEANS...``, or
``mabwiser_program.py linucb SEED``; run by ``benchmarks/bandits.py``.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

sys.path.insert(0, str(Path(__file__).parents[1]))
from _bandit_worlds import Coins
from _digits_stream import ALPHA, stream


def thompson(seed: int, rounds: int, means: list[float], took: list[float]) -> float:
    """Play one world once and return the regret."""
    arms, world = list(range(len(means))), Coins(seed, rounds, means)
    policy = MAB(arms, LearningPolicy.ThompsonSampling(), seed=seed)
    policy.fit([0], [int(world.pull(0))])  # it cannot choose before that
    for _ in range(rounds - 1):
        began = time.perf_counter()
        arm = policy.predict()
        chose = time.perf_counter()
        reward = int(world.pull(arm))
        paid = time.perf_counter()
        policy.partial_fit([arm], [reward])
        took.append(time.perf_counter() - paid + chose - began)
    return world.regret


def linucb(seed: int, took: list[float]) -> list[int]:
    """Play the digits once and return each decision."""
    contexts, digits = stream(seed)
    policy = MAB(list(range(10)), LearningPolicy.LinUCB(alpha=ALPHA), seed=seed)
    policy.fit([0], [int(digits[0] == 0)], contexts[:1])
    decisions = [0]
    for t in range(1, len(digits)):
        began = time.perf_counter()
        arm = int(policy.predict(contexts[t : t + 1]))
        policy.partial_fit([arm], [int(digits[t] == arm)], contexts[t : t + 1])
        took.append(time.perf_counter() - began)
        decisions.append(arm)
    return decisions


if __name__ == "__main__":
    name, number, *rest = sys.argv[1:]
    times: list[float] = []
    if name == "linucb":
        answer: list[float] | list[int] = linucb(int(number), times)
    else:
        world = [float(mean) for mean in rest[1:]]
        answer = [thompson(seed, int(rest[0]), world, times) for seed in range(int(number))]
    print(json.dumps({"answer": answer, "p50_us": float(np.median(times) * 1e6)}))
