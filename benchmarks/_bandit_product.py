"""What `prompt_select` runs itself: a policy's chances, a draw by them, and the log in a file."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _bandit_worlds import Coins
from _figures import Figure

from ml_orchestrator.learning.evidence import Evidence, Judged
from ml_orchestrator.learning.learner import FLOOR, Learner
from ml_orchestrator.learning.policies import POLICIES
from ml_orchestrator.learning.selection import select
from ml_orchestrator.storage.engine import open_database

__all__ = ["product_figures"]

N_FEATURES = 12
N_HELD = 15_000  # judged decisions, about as many as are ever held
N_TIMED = 200
RULES = [f"rule-{i}" for i in range(10)]


def product_figures(
    worlds: Mapping[str, Sequence[float]],
    reference: Mapping[str, Sequence[float]],
    *,
    rounds: int,
    n_seeds: int,
) -> list[Figure]:
    """Return regrets of the product's policies beside Thompson's class, and the product's times.

    Args:
        worlds: means of the arms.
        reference: regret of the class for each seed, by world.
        rounds: of each seed.
        n_seeds: so many of the reference are played.
    """
    figures = []
    for name, means in worlds.items():
        theirs = statistics.mean(reference[name][:n_seeds])
        for title, policy, floor in (
            ("thompson, no floor", "thompson", 0.0),
            (f"thompson, floor {FLOOR}", "thompson", FLOOR),
        ):
            ours = statistics.mean(
                _regret(seed, rounds, means, policy=policy, floor=floor) for seed in range(n_seeds)
            )
            figures.append(
                Figure(
                    f"product's {title}, {name}, regret", "rewards", ours, theirs, "class", None,
                    n_seeds,
                )
            )  # fmt: skip
    return [*figures, *_times_in_memory(), *_times_in_a_file()]


def _regret(seed: int, rounds: int, means: Sequence[float], *, policy: str, floor: float) -> float:
    evidence, rng, none = Evidence(1), np.random.default_rng([seed, 1]), np.zeros(1)
    world = Coins(seed, rounds, means)
    for t in range(rounds):
        choice = select(none, RULES[: len(means)], evidence, policy=policy, floor=floor, rng=rng)
        arm = choice.index
        evidence.add([Judged(t, (0.0,), RULES[arm], float(world.pull(arm)), choice.chances[arm])])
    return world.regret


def _times_in_memory() -> list[Figure]:
    """Return the time of a choice by each policy with as many rows as are ever held."""
    rng, evidence = np.random.default_rng(0), Evidence(N_FEATURES)
    contexts = rng.random((N_HELD, N_FEATURES))
    evidence.add(
        Judged(i, tuple(x), RULES[i % 10], float(rng.random() < x[0]), 0.1)
        for i, x in enumerate(contexts)
    )
    figures = []
    for policy in POLICIES:
        took = []
        for context in rng.random((N_TIMED, N_FEATURES)):
            began = time.perf_counter()
            select(context, RULES, evidence, policy=policy, floor=FLOOR, rng=rng)
            took.append(time.perf_counter() - began)
        title = f"choice by {policy}, {N_HELD:,} rows"
        figures.append(_p50_ms(title, took))
    return figures


def _times_in_a_file() -> list[Figure]:
    """Return the time of `Learner.decide` and `feedback` on a database file, in turns."""
    rng, decided, judged = np.random.default_rng(0), [], []
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'state.db'}", Path(folder))
        learner = Learner(database, rng=rng)
        for context in rng.random((N_TIMED, N_FEATURES)):
            began = time.perf_counter()
            decision = learner.decide(context.tolist(), RULES, agent="benchmark")
            decided.append(time.perf_counter() - began)
            began = time.perf_counter()
            learner.feedback(decision.id, agent="benchmark", reward=float(rng.random()))
            judged.append(time.perf_counter() - began)
        database.close()
    return [_p50_ms("Learner.decide, file", decided), _p50_ms("Learner.feedback, file", judged)]


def _p50_ms(title: str, took: Sequence[float]) -> Figure:
    return Figure(title, "ms", 1e3 * statistics.median(took), None, None, None, len(took))
