"""Whether patterns_discover finds what happens at the ends and in ranges of numbers.

Worlds of ten numbers (five normal, five log-normal) and six coins, 6,000 cases, seven planted
patterns of 12 to 20 points: three ends, a range, a median, a pair, a coin. A planted pattern is
found if a confirmed one holds nearly the same cases (correlation above 0.75). Worlds without any
show how often something is confirmed.

    .venv/bin/python benchmarks/pattern_numbers.py [--seeds 20] [--empty 60]
"""

import argparse
import re
from typing import Any

import numpy as np

from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.request import PatternSpec

EFFECTS = (0.2, -0.2, 0.15, 0.18, 0.12, 0.15, -0.12)
ITEM = re.compile(r"^(?:(\S+) < )?(\w+)(?: (>|<=) (\S+))?$")


def main() -> None:
    """Search every world and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="worlds with patterns")
    parser.add_argument("--empty", type=int, default=60, help="worlds without")
    options = parser.parse_args()
    found = np.array([search(seed, 6_000) for seed in range(options.seeds)]).sum(axis=0)
    hits, near, confirmed, replicated = (int(number) for number in found)
    recall = hits / (len(EFFECTS) * options.seeds)
    print(f"recall {recall:.3f}, precision {near / confirmed:.3f} of {confirmed}", end="")
    print(f", replicated {replicated / confirmed:.3f}", flush=True)
    for n_cases in (6_000, 1_000):
        seeds = range(500, 500 + options.empty)
        n_any = sum(search(seed, n_cases, is_empty=True)[2] > 0 for seed in seeds)
        print(f"empty, n = {n_cases:,}: any in {n_any} of {options.empty}", flush=True)


def search(seed: int, n_cases: int, *, is_empty: bool = False) -> tuple[int, int, int, int]:
    """Return how many planted ones were found, were near one, were confirmed, replicated."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_cases, 10))
    numbers[:, 5:] = np.exp(numbers[:, 5:])
    coins = (rng.random((n_cases, 6)) < 0.4).astype(float)
    table: dict[str, Any] = {f"n{i}": column for i, column in enumerate(numbers.T)}
    table |= {f"b{i}": column for i, column in enumerate(coins.T)}
    truth = _planted(numbers, coins)
    chances = np.full(n_cases, 0.45)
    if not is_empty:
        chances += sum(effect * one for effect, one in zip(EFFECTS, truth, strict=True))
    table["y"] = (rng.random(n_cases) < np.clip(chances, 0.01, 0.99)).astype(float)
    report = discover_patterns(table, PatternSpec("y", seed=seed))
    hits = []
    for pattern in (p for p in report.patterns if p.status != "selected"):
        held = np.all([_holds(item, table) for item in pattern.items], axis=0)
        alike = [abs(np.corrcoef(held, one)[0, 1]) for one in truth]
        hits.append(int(np.argmax(alike)) if max(alike) > 0.75 else -1)
    near = [hit for hit in hits if hit >= 0]
    return len(set(near)), len(near), len(hits), report.n_replicated


def _planted(numbers: Any, coins: Any) -> list[Any]:
    return [
        numbers[:, 0] > 1.2,
        numbers[:, 1] < -1.4,
        np.abs(numbers[:, 2]) < 0.6,
        numbers[:, 6] > np.exp(0.8),
        numbers[:, 3] > 0,
        coins[:, 0] * coins[:, 1] > 0,
        coins[:, 2] > 0,
    ]


def _holds(item: str, table: dict[str, Any]) -> Any:
    parsed = ITEM.match(item)
    if parsed is None:
        raise SystemExit(f"A pattern that this benchmark cannot read: {item}")
    low, name, sign, bound = parsed.groups()
    values = table[name]
    if sign is None:
        return values > 0
    held = values > float(bound) if sign == ">" else values <= float(bound)
    return held & (values > float(low)) if low else held


if __name__ == "__main__":
    main()
