"""Whether the time that rule sets take is told by what their rules read.

Prompts of 300, 2,000 and 6,000 characters, random rule sets, orders and limits. The time of the
processor is held against the number of characters of texts read and of looks that rules took at
them, which is what searches of rules go by; least squares gives microseconds a character.

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
    rows = [timed(prompt, plan(rng)) for length in LENGTHS for prompt in given(length, n)]
    estimated, measured, read, looked = np.array(rows).T
    fit = np.linalg.lstsq(np.column_stack([read, looked]), measured * 1e3, rcond=None)[0]
    off = np.median(np.abs(estimated - measured) / measured)
    rank = float(spearmanr(estimated, measured).statistic)
    show(
        [
            Figure("rank correlation, estimate and clock", "", rank, None, None, None, len(rows)),
            Figure("estimate off by, median", "share", float(off), None, None, None, len(rows)),
            Figure("to read a text", "us/char", float(fit[0]), None, None, None, len(rows)),
            Figure("a rule's look", "us/char", float(fit[1]), None, None, None, len(rows)),
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


def timed(prompt: str, rules: RulePlan) -> tuple[float, float, int, int]:
    """Return the estimate and the processor's time in ms, and characters read and looked at."""
    applier = RuleApplier()
    read_prompt.cache_clear()
    began = time.process_time()
    applied = applier.apply(prompt, rules)
    measured = (time.process_time() - began) * 1e3
    return applied.latency_ms, measured, applied.n_read, applied.n_looked_at


if __name__ == "__main__":
    main()
