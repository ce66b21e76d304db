"""Whether patterns_discover finds what was planted, and nothing where nothing was.

Worlds of 40 binary features with eight planted patterns (effect 10 points), independent or
correlated, and worlds without any. ``n`` counts all cases, those for replication included: of
25,000, 20,000 select and test.

* recall, precision: planted patterns among the confirmed ones, feature for feature;
* precision with stand-ins: the planted one may also be among the reported stand-ins;
* false share: confirmed patterns whose effect, in a regression without noise, is below a point;
* replication: confirmed patterns that hold on the third part, with the Wilson interval.

Then the time of our miner beside mlxtend's Apriori.

    .venv/bin/python benchmarks/patterns.py [--quick] [--json] [--seeds 100] [--first-seed 1000]

``--record PATH`` only writes the sets that mlxtend finds in a small table, for the tests.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _figures import Figure, in_turns, machine, show
from _pattern_worlds import make_world
from _peers import peer_python

from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.numerics.itemsets import frequent_sets
from ml_orchestrator.numerics.wilson import wilson_interval

PROGRAM = Path(__file__).parent / "pattern_peers" / "mlxtend_program.py"
REQUIREMENTS = ("mlxtend==0.23.4", "pandas<3")
NO_EFFECT = 0.01
SUPPORT = 0.04
FDR = 0.1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of world, and how large."""

    name: str
    n_cases: int
    correlation: float = 0.0
    is_null: bool = False


KINDS = (
    Kind("independent", 8_000),
    Kind("independent", 20_000),
    Kind("independent", 25_000),
    Kind("correlated", 8_000, 0.5),
    Kind("correlated", 20_000, 0.5),
    Kind("correlated", 25_000, 0.5),
    Kind("nothing", 2_000, is_null=True),
    Kind("nothing", 8_000, is_null=True),
    Kind("nothing, correlated", 8_000, 0.5, is_null=True),
)


@dataclass(frozen=True, slots=True)
class Score:
    """How one search fared: numbers of patterns, and seconds."""

    planted: int
    confirmed: int
    exact: int
    with_stand_ins: int
    false: int
    replicated: int
    seconds: float


def main() -> None:
    """Search every world and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer worlds")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--seeds", type=int, default=100, help="worlds of each kind")
    parser.add_argument("--first-seed", type=int, default=1_000, help="the first of them")
    parser.add_argument("--record", type=Path, help="write what mlxtend finds, and end")
    options = parser.parse_args()
    if options.record:
        _record(options.record)
        return
    n_seeds = min(5, options.seeds) if options.quick else options.seeds
    seeds = range(options.first_seed, options.first_seed + n_seeds)
    for kind in KINDS:
        _print(kind, [search(kind, seed) for seed in seeds], as_json=options.json)
    show(_miners(rounds=1 if options.quick else 5), as_json=options.json)


def search(kind: Kind, seed: int) -> Score:
    """Search one world and hold what is reported against what was planted."""
    world = make_world(seed, kind.n_cases, correlation=kind.correlation, is_null=kind.is_null)
    table = {f"f{i:02}": column.astype(float) for i, column in enumerate(world.features.T)}
    table["outcome"] = world.outcome
    began_at = time.perf_counter()
    report = discover_patterns(table, PatternSpec("outcome", seed=seed, fdr=FDR))
    seconds = time.perf_counter() - began_at
    confirmed = [p for p in report.patterns if p.status != "selected"]
    planted = {" & ".join(f"f{i:02}" for i in items) for items in world.planted}
    exact = [p.pattern in planted for p in confirmed]
    near = [p.pattern in planted or _is_near(p.stand_ins, planted) for p in confirmed]
    return Score(
        planted=len(planted),
        confirmed=len(confirmed),
        exact=sum(exact),
        with_stand_ins=sum(near),
        false=_n_false(report, world),
        replicated=report.n_replicated,
        seconds=seconds,
    )


def _is_near(stand_ins: Any, planted: set[str]) -> bool:
    return any(stand_in.pattern in planted for stand_in in stand_ins)


def _n_false(report: PatternReport, world: Any) -> int:
    if not report.patterns:
        return 0
    patterns = [tuple(int(item[1:]) for item in p.items) for p in report.patterns]
    effects = np.abs(world.true_effects(patterns)) < NO_EFFECT
    is_confirmed = [p.status != "selected" for p in report.patterns]
    return int((effects & is_confirmed).sum())


def _print(kind: Kind, scores: list[Score], *, as_json: bool) -> None:
    def total(name: str) -> int:
        return sum(getattr(score, name) for score in scores)

    confirmed, planted = total("confirmed"), total("planted")
    n_any = sum(score.confirmed > 0 for score in scores)
    seconds = sorted(score.seconds for score in scores)
    line: dict[str, Any] = {
        "world": kind.name,
        "n": kind.n_cases,
        "worlds": len(scores),
        "any": n_any / len(scores),
        "any_high": wilson_interval(n_any, len(scores))[1],
        "false_share": statistics.mean(s.false / max(1, s.confirmed) for s in scores),
        "confirmed": confirmed,
        "seconds_p50": statistics.median(seconds),
        "seconds_max": seconds[-1],
    }
    if planted:
        low, high = wilson_interval(total("replicated"), confirmed)
        line |= {
            "recall": total("exact") / planted,
            "precision": total("exact") / max(1, confirmed),
            "precision_with_stand_ins": total("with_stand_ins") / max(1, confirmed),
            "replicated": total("replicated") / max(1, confirmed),
            "replicated_low": low,
            "replicated_high": high,
        }
    if as_json:
        print(json.dumps({**line, "machine": machine()}), flush=True)
        return
    rest = ", ".join(
        f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
        for key, value in line.items()
        if key not in ("world", "n")
    )
    print(f"{kind.name}, n = {kind.n_cases:,}: {rest}", flush=True)


def _miners(*, rounds: int) -> list[Figure]:
    peer = peer_python("mlxtend", *REQUIREMENTS)
    figures = []
    for n_cases in (4_000, 20_000):
        table = make_world(1, n_cases, correlation=0.0, is_null=True).features
        measures = {"ours": partial(_our_seconds, table)}
        if peer:
            measures["mlxtend"] = partial(_mlxtend_seconds, peer, table)
        seconds = in_turns(measures, rounds=rounds)
        theirs = statistics.median(seconds["mlxtend"]) * 1e3 if peer else None
        ours = statistics.median(seconds["ours"]) * 1e3
        figures.append(
            Figure(f"sets up to 3, {n_cases:,} x 40", "ms", ours, theirs, "mlxtend", 1.0, rounds)
        )
    return figures


def _our_seconds(table: Any) -> float:
    began_at = time.perf_counter()
    frequent_sets(table, min_count=int(np.ceil(SUPPORT * len(table))))
    return time.perf_counter() - began_at


def _mlxtend_seconds(python: Path, table: Any) -> float:
    return float(_mlxtend(python, table, SUPPORT)["seconds"])


def _mlxtend(python: Path, table: Any, support: float, *options: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npy"
        np.save(path, table)
        done = subprocess.run(
            [str(python), "-W", "ignore", str(PROGRAM), str(path), str(support), *options],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _record(path: Path) -> None:
    """Write a table with a constant and a repeated feature, and the sets mlxtend finds in it."""
    python = peer_python("mlxtend", *REQUIREMENTS)
    if python is None:
        raise SystemExit("mlxtend cannot be installed here; nothing was written.")
    rng = np.random.default_rng(7)
    table = rng.random((400, 14)) < rng.uniform(0.1, 0.6, 14)
    table[:, 13], table[:, 12] = table[:, 0], True
    kept = {
        "made_by": f"{REQUIREMENTS[0]}, apriori(min_support=0.05, max_len=3)",
        "min_count": 20,
        "rows": ["".join("1" if held else "0" for held in row) for row in table],
        "sets": _mlxtend(python, table, 0.05, "--sets")["sets"],
    }
    path.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
