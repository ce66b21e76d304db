"""How long a drift check of a whole table takes, how much memory, and whether the values agree.

Ours beside Evidently's and frouros's tests, NannyML's calculator and scipy's functions, each in
an environment and a process of its own, on the same table made from the same seed: normal
columns, a third of them shifted. What is timed is the comparison of tables that are in memory, in
the shape each program takes; starting, importing and making the tables are not. Ours is the
whole check: decision, correction and descriptions. Of Evidently there are two figures: its bare
test, column by column, and its report, which is what its users call and the counterpart of ours;
its time includes taking the tables in. The others are given their bare statistic. NannyML bins
above 10,000 rows, so its values are compared loosely, and of ks, whose statistic it gives, not.

Memory is the peak of the process while it checks: imports and both tables included, and beyond
what it held before (Linux).

All of it takes half an hour, so it can run in parts: ``--size``, ``--test`` and ``--peer`` choose;
``--keep FILE`` writes down each answer and measures nothing again that the file holds. A program
that takes longer than ``--limit-s`` is stopped, and its figure left out, said aloud.

    .venv/bin/python benchmarks/drift.py [--quick] [--json] [--keep FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _figures import Figure, show
from _kept import Kept
from _peers import peer_python

PROGRAMS = Path(__file__).parent / "drift_peers"
TESTS = ("ks", "wasserstein", "psi", "jensen_shannon")
EVIDENTLY = ("evidently==0.7.23", "pandas<3")
REQUIREMENTS = {
    "evidently": ("evidently", EVIDENTLY),
    "evidently_report": ("evidently", EVIDENTLY),
    "nannyml": ("nannyml", ("nannyml==0.13.1", "statsmodels<0.15")),
    "frouros": ("frouros", ("frouros==0.9.0",)),
}
KNOWN_BY = {
    "sort": TESTS,
    "scipy": ("ks", "wasserstein"),
    "evidently": TESTS,
    "evidently_report": TESTS,
    "nannyml": ("ks", "wasserstein", "jensen_shannon"),
    "frouros": ("ks", "wasserstein"),
}
# Of the time: against Evidently a twentieth, against everybody else less; against sorting 3 times.
GOALS = {"evidently": 1 / 20, "evidently_report": 1 / 20, "sort": 3.0}
MEMORY_GOAL = 1 / 3


@dataclass(frozen=True, slots=True)
class Size:
    """A table: rows on each side and columns."""

    n_rows: int
    n_columns: int

    def __str__(self) -> str:
        return f"{self.n_rows:,} x {self.n_columns}"


FULL = {"100k": Size(100_000, 50), "1M": Size(1_000_000, 20)}
QUICK = Size(100_000, 10)


def main() -> None:
    """Run every test on every size and print the figures."""
    options = _options()
    kept = Kept(options.keep)
    sizes = [QUICK] if options.quick else [FULL[name] for name in options.size]
    pythons = _pythons(options.peer)
    figures: list[Figure] = []
    for size in sizes:
        for test in options.test:
            figures += _figures(size, test, pythons, kept, options)
    show(figures, as_json=options.json)
    print(kept.loads(), file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} once")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--size", nargs="+", choices=[*FULL], default=[*FULL])
    parser.add_argument("--test", nargs="+", choices=TESTS, default=TESTS)
    parser.add_argument("--peer", nargs="+", choices=[*KNOWN_BY], default=[*KNOWN_BY])
    parser.add_argument("--rounds", type=int, default=3, help="of each program")
    parser.add_argument("--limit-s", type=float, default=180.0, help="of one program, once")
    parser.add_argument("--keep", type=Path, help="file of what is measured: read, and written to")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def _pythons(peers: list[str]) -> dict[str, Path]:
    found = {}
    for name in peers:
        if name not in REQUIREMENTS:
            found[name] = Path(sys.executable)
            continue
        home, needs = REQUIREMENTS[name]
        if python := peer_python(home, *needs):
            found[name] = python
    return found


def _figures(
    size: Size, test: str, pythons: Mapping[str, Path], kept: Kept, options: argparse.Namespace
) -> list[Figure]:
    taking = [name for name in pythons if test in KNOWN_BY[name]]
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ours", *taking)}
    for turn in range(options.rounds):
        for name, found in answers.items():
            python = pythons.get(name, Path(sys.executable))
            asked = {"name": name, "test": test, "size": str(size), "turn": turn}
            known = kept.get(asked)
            if known is None:
                known = _answer(name, python, test, size, options.limit_s)
                kept.add(asked, known)
            found.append(known)
    ours = answers.pop("ours")
    figures = []
    for name, found in answers.items():
        if any(answer["seconds"] is None for answer in [*ours, *found]):
            print(f"{test} {size}: {name} took longer than its limit", file=sys.stderr)
        else:
            figures += _beside(f"{test} {size}", ours, name, found)
    return figures


def _answer(name: str, python: Path, test: str, size: Size, limit_s: float) -> dict[str, Any]:
    program = PROGRAMS / f"{name}_program.py"
    command = [str(python), "-W", "ignore", str(program), test]
    try:
        done = subprocess.run(
            [*command, str(size.n_rows), str(size.n_columns)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return {"seconds": None}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _beside(
    title: str, ours: list[dict[str, Any]], name: str, theirs: list[dict[str, Any]]
) -> list[Figure]:
    def figure(what: str, unit: str, key: str, goal: float | None) -> Figure:
        mine, peer = (statistics.median(a[key] for a in side) for side in (ours, theirs))
        return Figure(f"{title}, {what}", unit, mine, peer, name, goal, len(ours))

    figures = [figure("time", "s", "seconds", GOALS.get(name, 1.0))]
    goal = MEMORY_GOAL if name.startswith("evidently") else None
    figures.append(figure("peak", "MB", "peak_mb", goal))
    if all(answer["beyond_mb"] is not None for answer in [*ours, *theirs]):
        figures.append(figure("peak beyond imports and tables", "MB", "beyond_mb", goal))
    if name != "sort" and not (name == "nannyml" and title.startswith("ks")):
        pairs = zip(ours[0]["values"], theirs[0]["values"], strict=True)
        gap = max(abs(a - b) for a, b in pairs)
        figures.append(Figure(f"{title}, gap to {name}", "", gap, None, None, None, 1))
    return figures


if __name__ == "__main__":
    main()
