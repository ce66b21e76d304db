"""Whether the time that rule sets take is told by what their rules read.

Random rule sets, orders and limits on prompts of 300, 2,000 and 6,000 characters, of which nothing
is remembered. The time of the processor is held against the estimate that searches of rules go by,
from the characters of texts that were read and looked at: whether both put rule sets in the same
order, and how far it is off. The two constants of the estimate are fitted on every other rule set
and every other prompt, and judged, beside those that are set, where both are others.

    .venv/bin/python benchmarks/rule_latency.py [--quick] [--json]
"""

import gc
import random
import time

import numpy as np
from _figures import Figure, arguments, show
from numpy.typing import NDArray
from prompt_latency import N_PROMPTS, prompts
from scipy.stats import spearmanr

from ml_orchestrator.optimization.part_model import part_probabilities, strict_probabilities
from ml_orchestrator.optimization.reading import read_prompt
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.applying import LOOK_US, READING_US, RuleApplier
from ml_orchestrator.optimization.search.models import RulePlan
from ml_orchestrator.optimization.tasks import told_of

LENGTHS = (300, 2_000, 6_000)
N_TIMES = 3  # the quickest counts: what else runs only adds time
LOOK_SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # of a look, of the time of a reading


def main() -> None:
    """Measure and print the figures."""
    options = arguments(__doc__)
    n_plans, n_prompts = (20, 12) if options.quick else (40, N_PROMPTS)
    taken = measured(n_plans, n_prompts)
    to_fit, to_judge = taken[:, ::2, ::2], taken[:, 1::2, 1::2]
    fitted = fit(to_fit)
    figures = [
        Figure(f"{name}, fitted", "us", float(value), None, None, None, to_fit[..., 0].size)
        for name, value in zip(("READING_US", "LOOK_US"), fitted, strict=True)
    ]
    figures += judged(to_judge, np.array([READING_US, LOOK_US]), "as set")
    figures += judged(to_judge, fitted, "fitted")
    show(figures, as_json=options.json)


def measured(n_plans: int, n_prompts: int) -> NDArray[np.float64]:
    """Return what every rule set read, looked at and took on every prompt, as ``timed`` does.

    Returns:
        ``(n_lengths, n_plans, n_prompts, 3)``.
    """
    rng = random.Random(0)
    plans = [plan(rng) for _ in range(n_plans)]
    timed(prompts(LENGTHS[0])[0], plans[0])  # reads the models
    gc.collect()
    gc.freeze()  # as the server does with what it loaded: else collections walk through it
    return np.array(
        [
            [[timed(prompt, rules) for prompt in prompts(length)[:n_prompts]] for rules in plans]
            for length in LENGTHS
        ]
    )


def plan(rng: random.Random) -> RulePlan:
    """Return a random rule set with an order and limits."""
    rules = [rng.choice(["", ">"]) + name for name in RULES if rng.random() < 0.5]
    words = rng.choice([None, 25, 75, 150])
    return RulePlan(rules=rules, max_added_words=words, may_ask=rng.random() < 0.5)


def timed(prompt: str, rules: RulePlan) -> tuple[float, float, float]:
    """Return the characters read and looked at, and the processor's time in microseconds."""
    quickest = float("inf")
    for _ in range(N_TIMES):
        for remembered in (read_prompt, part_probabilities, strict_probabilities, told_of):
            remembered.cache_clear()
        began = time.process_time()
        applied = RuleApplier().apply(prompt, rules)
        quickest = min(quickest, time.process_time() - began)
    return applied.n_read, applied.n_looked_at, quickest * 1e6


def fit(taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the microseconds of a character read and looked at.

    A look's share of a reading is the one that puts rule sets best in order; then half of the
    estimates are below the clock.
    """

    def order(share: float) -> float:
        return float(np.mean(ranks_on_the_same(taken, np.array([1.0, share]))))

    constants = np.array([1.0, max(LOOK_SHARES, key=order)])
    scale = float(np.median(taken[..., 2] / (taken[..., :2] @ constants)))
    return constants * scale


def judged(taken: NDArray[np.float64], constants: NDArray[np.float64], name: str) -> list[Figure]:
    """Return how well an estimate with these constants tells the time."""
    estimated, clock = taken[..., :2] @ constants, taken[..., 2]
    ranks = zip(LENGTHS, ranks_on_the_same(taken, constants), strict=True)
    found = {
        "rank correlation": (rank_correlation(estimated, clock), ""),
        **{f"of rule sets on the same {length:,}": (rank, "") for length, rank in ranks},
        "off by, median": (float(np.median(np.abs(estimated - clock) / clock)), "share"),
        "clock / estimate, median": (float(np.median(clock / estimated)), "times"),
    }
    return [
        Figure(f"{name}: {figure}", unit, value, None, None, None, clock.size)
        for figure, (value, unit) in found.items()
    ]


def ranks_on_the_same(taken: NDArray[np.float64], constants: NDArray[np.float64]) -> list[float]:
    """Return, for each length, the rank correlation of rule sets by their means over prompts."""
    means = taken.mean(axis=2)
    return [rank_correlation(each[:, :2] @ constants, each[:, 2]) for each in means]


def rank_correlation(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of two arrays of the same shape."""
    return float(spearmanr(ours.ravel(), theirs.ravel()).statistic)


if __name__ == "__main__":
    main()
