"""Bandits beside mabwiser and river: regret on paired seeds, the same decisions, time.

Thompson sampling plays three worlds of ten arms with binary rewards, over three horizons. The k-th
choice of an arm pays the same to every contender of a seed, so that regrets are compared pair by
pair; ratios of mean regret come with a 95 % bootstrap interval over seeds. LinUCB reads
the digits of scikit-learn once, one right answer in ten. Peers run in environments of their own,
in turns with ours. These are classes that keep no log and nothing fades in; what `prompt_select`
runs is measured beside them: the same worlds by its own policies, and times with a log. Last, what
contexts are worth: rules that help in one half of the contexts and harm in the other, which one of
twelve features tells; learned with the context and without.

    .venv/bin/python benchmarks/bandits.py [--quick] [--json]
    .venv/bin/python benchmarks/bandits.py --rounds 10000 --seeds 200  # Thompson sampling alone
"""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _bandit_product import product_figures
from _bandit_worlds import Coins
from _digits_stream import ALPHA, stream
from _figures import Figure, machine, show
from _peers import peer_python

from ml_orchestrator.learning.evidence import Evidence, Judged
from ml_orchestrator.learning.selection import select
from ml_orchestrator.numerics.bandits.lin_ucb import LinUcb
from ml_orchestrator.numerics.bandits.thompson import BetaThompson

PROGRAMS = Path(__file__).parent / "bandit_peers"
REQUIREMENTS = {"mabwiser": ("mabwiser==2.7.4",), "river": ("river==0.26.1",)}
WORLDS: Mapping[str, Sequence[float]] = {
    "0.05 to 0.50": [0.05 * (i + 1) for i in range(10)],
    "0.45 and 0.55": [0.45] * 9 + [0.55],
    "seldom": [0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01],
}
HORIZONS = ((500, 1_000), (2_000, 400), (10_000, 200))  # rounds, and how many seeds play them
N_BOOTSTRAPS = 2_000
DECISION_GOAL_US = 15.0
REGRET_GOAL = 1.05
LINUCB_SPEED_GOAL = 20.0


@dataclass(frozen=True, slots=True)
class Played:
    """What a contender did: regrets or decisions, and the median time of choice and update."""

    answer: Sequence[float]
    p50_us: float


def main() -> None:
    """Play everything and print the figures."""
    options = _options()
    pythons = {n: p for n, needs in REQUIREMENTS.items() if (p := peer_python(n, *needs))}
    horizons = ((300, 200),) if options.quick else HORIZONS
    if options.rounds:
        horizons = ((options.rounds, options.seeds),)
    figures: list[Figure] = []
    for rounds, n_seeds in horizons:
        for name, means in WORLDS.items():
            figures += _thompson(name, means, pythons, n_seeds, rounds, as_json=options.json)
    if not options.rounds:
        figures += _others(pythons, rounds=horizons[0][0], is_quick=options.quick)
    show(figures, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--rounds", type=int, help="Thompson sampling alone, over so many rounds")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds play them")
    return parser.parse_args()


def _others(pythons: Mapping[str, Path], *, rounds: int, is_quick: bool) -> list[Figure]:
    """Return the figures of LinUCB, of what the product runs, and of contexts."""
    n_streams, n_product, n_learned = (2, 5, 8) if is_quick else (5, 40, 40)
    figures: list[Figure] = []
    if "mabwiser" in pythons:
        figures += _linucb(pythons["mabwiser"], n_streams)
    classes = {name: _regrets(n_product, rounds, means) for name, means in WORLDS.items()}
    figures += product_figures(WORLDS, classes, rounds=rounds, n_seeds=n_product)
    return [*figures, _gain_of_contexts(n_learned)]


def _thompson(
    name: str,
    means: Sequence[float],
    pythons: Mapping[str, Path],
    n_seeds: int,
    rounds: int,
    *,
    as_json: bool,
) -> list[Figure]:
    ours = _timed(lambda took: [_our_regret(s, rounds, means, took) for s in range(n_seeds)])
    title, n = f"Thompson {name}, decision of {rounds:,}", n_seeds * rounds
    figures = [Figure(title, "us", ours.p50_us, DECISION_GOAL_US, "limit", 1.0, n)]
    for peer, python in pythons.items():
        given = ("thompson", n_seeds, rounds, *means)
        theirs = _ask(python, peer, *given)
        _show_regret(name, peer, ours, theirs, rounds=rounds, as_json=as_json)
        figures.append(Figure(title, "us", ours.p50_us, theirs.p50_us, peer, None, n))
    return figures


def _show_regret(
    name: str, peer: str, ours: Played, theirs: Played, *, rounds: int, as_json: bool
) -> None:
    """Print the ratio of mean regrets and its interval over pairs of seeds."""
    a, b = np.array(ours.answer), np.array(theirs.answer)
    draws = np.random.default_rng(0).integers(0, len(a), (N_BOOTSTRAPS, len(a)))
    low, high = np.quantile(a[draws].mean(axis=1) / b[draws].mean(axis=1), [0.025, 0.975])
    line: dict[str, Any] = {
        "figure": f"Thompson {name}, regret after {rounds:,}",
        "unit": "ratio",
        "ours": a.mean(),
        "peer": b.mean(),
        "peer_name": peer,
        "ratio": a.mean() / b.mean(),
        "low": low,
        "high": high,
        "goal": REGRET_GOAL,
        "holds": bool(high <= REGRET_GOAL),
        "n": len(a),
    }
    if as_json:
        print(json.dumps({**line, "machine": machine()}, default=float))
        return
    print(
        f"{line['figure']:<46} ours {a.mean():7.2f}  {peer} {b.mean():7.2f}  ratio "
        f"{line['ratio']:.3f} (95 % interval {low:.3f} to {high:.3f}, goal: at most {REGRET_GOAL}, "
        f"n = {len(a)})"
    )


def _our_regret(seed: int, rounds: int, means: Sequence[float], took: list[float]) -> float:
    policy, rng = BetaThompson(len(means)), np.random.default_rng([seed, 1])
    world = Coins(seed, rounds, means)
    for _ in range(rounds):
        began = time.perf_counter()
        arm = policy.choose(rng)
        chose = time.perf_counter()
        reward = float(world.pull(arm))
        paid = time.perf_counter()
        policy.update(arm, reward)
        took.append(time.perf_counter() - paid + chose - began)
    return world.regret


def _regrets(n_seeds: int, rounds: int, means: Sequence[float]) -> list[float]:
    return [_our_regret(seed, rounds, means, []) for seed in range(n_seeds)]


def _linucb(python: Path, n_streams: int) -> list[Figure]:
    ours, theirs = [], []
    for seed in range(n_streams):
        ours.append(_timed(partial(_our_decisions, seed)))
        theirs.append(_ask(python, "mabwiser", "linucb", seed))
    n_other = sum(
        a != b
        for mine, peers in zip(ours, theirs, strict=True)
        for a, b in zip(mine.answer, peers.answer, strict=True)
    )
    regrets = [
        float(np.sum(np.array(played.answer) != stream(seed)[1]))
        for seed, played in enumerate(ours)
    ]
    mine, peers = (statistics.median(p.p50_us for p in played) for played in (ours, theirs))
    n = sum(len(played.answer) for played in ours)
    title = "LinUCB on digits"
    return [
        Figure(f"{title}, decision", "us", mine, peers, "mabwiser", 1 / LINUCB_SPEED_GOAL, n),
        Figure(f"{title}, other than mabwiser's", "decisions", n_other, None, None, None, n),
        Figure(f"{title}, wrong", "of 1797", statistics.mean(regrets), None, None, None, n_streams),
    ]


def _our_decisions(seed: int, took: list[float]) -> list[int]:
    contexts, digits = stream(seed)
    policy, decisions = LinUcb(10, contexts.shape[1], alpha=ALPHA), []
    for context, digit in zip(contexts, digits, strict=True):
        began = time.perf_counter()
        arm = policy.choose(context)
        policy.update(arm, context, float(arm == digit))
        took.append(time.perf_counter() - began)
        decisions.append(arm)
    return decisions


def _gain_of_contexts(n_seeds: int) -> Figure:
    """Return the mean reward with contexts beside that without, on rounds after learning."""
    aware, blind = (
        [_learned(seed, uses_context=uses) for seed in range(n_seeds)] for uses in (True, False)
    )
    return Figure(
        "reward held out, learned without contexts / with",
        "share",
        statistics.mean(blind),
        statistics.mean(aware),
        "with contexts",
        1.0,
        n_seeds,
    )


def _learned(seed: int, *, uses_context: bool) -> float:
    """Learn for 400 rounds; return the true mean reward of 200 choices that follow."""
    rng = np.random.default_rng(seed)
    rules, evidence = [f"rule-{i}" for i in range(6)], Evidence(12 if uses_context else 1)
    flips = rng.choice([-1, 1], size=6)
    earned = []
    for t in range(600):
        context = rng.random(12)
        means = 0.5 + 0.3 * flips * (1 if context[0] > 0.5 else -1)
        seen = context if uses_context else np.zeros(1)
        choice = select(seen, rules, evidence, policy="thompson", floor=0.1, rng=rng)
        if t < 400:
            reward = float(rng.random() < means[choice.index])
            chance = choice.chances[choice.index]
            evidence.add([Judged(t, tuple(seen), rules[choice.index], reward, chance)])
        else:
            earned.append(float(np.asarray(choice.chances) @ means))
    return statistics.mean(earned)


def _timed(play: Callable[[list[float]], Sequence[float]]) -> Played:
    took: list[float] = []
    answer = play(took)
    return Played(answer, float(np.median(took) * 1e6))


def _ask(python: Path, peer: str, *given: object) -> Played:
    command = [str(python), "-W", "ignore", str(PROGRAMS / f"{peer}_program.py"), *map(str, given)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    return Played(said["answer"], said["p50_us"])


if __name__ == "__main__":
    main()
