"""Whether the time that rule sets take is told by what their rules read.

Prompts of 300, 2,000 and 6,000 characters, random rule sets, orders and limits. The time of the
processor is held against the estimate that searches of rules go by, from the characters of texts
that were read and looked at: whether both put rule sets in the same order, and how far it is off.

    .venv/bin/python benchmarks/rule_latency.py [--quick] [--json]
"""

import random
import time

import numpy as np
from _figures import Figure, arguments, show
from prompt_latency import prompts
from scipy.stats import spearmanr

from ml_orchestrator.optimization.reading import read_prompt
from ml_orchestrator.optimization.rules import RULES
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.models import RulePlan

LENGTHS = (300, 2_000, 6_000)


def main() -> None:
    """Measure and print the figures."""
    options = arguments(__doc__)
    n = 10 if options.quick else 60
    rng = random.Random(0)
    timed(given(LENGTHS[0], 1)[0], plan(rng))  # reads the model of sentences
    rows = [timed(prompt, plan(rng)) for length in LENGTHS for prompt in given(length, n)]
    estimated, measured = np.array(rows).T
    off = np.median(np.abs(estimated - measured) / measured)
    ratio = float(np.median(measured / estimated))
    rank = float(spearmanr(estimated, measured).statistic)
    show(
        [
            Figure("rank correlation, estimate and clock", "", rank, None, None, None, len(rows)),
            Figure("estimate off by, median", "share", float(off), None, None, None, len(rows)),
            Figure("clock / estimate, median", "times", ratio, None, None, None, len(rows)),
        ],
        as_json=options.json,
    )


def given(length: int, n: int) -> list[str]:
    """Return ``n`` prompts, all different."""
    made = prompts(length)
    return [f"{made[i % len(made)][: length - 8]} No. {i}." for i in range(n)]


def plan(rng: random.Random) -> RulePlan:
    """Return a random rule set with an order and limits."""
    rules = [rng.choice(["", ">"]) + name for name in RULES if rng.random() < 0.5]
    words = rng.choice([None, 25, 75, 150])
    return RulePlan(rules=rules, max_added_words=words, may_ask=rng.random() < 0.5)


def timed(prompt: str, rules: RulePlan) -> tuple[float, float]:
    """Return the estimate and the processor's time, in ms."""
    applier = RuleApplier()
    read_prompt.cache_clear()
    began = time.process_time()
    applied = applier.apply(prompt, rules)
    measured = (time.process_time() - began) * 1e3
    return applied.latency_ms, measured


if __name__ == "__main__":
    main()
