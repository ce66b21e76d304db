"""How long a drift check of a whole table takes, how much memory, and whether the values agree.

Ours beside Evidently's and frouros's tests, NannyML's calculator and scipy's functions, each in
an environment of its own, on the same table made from the same seed: normal columns, a third of
them shifted. Peers are given their bare statistic per column, without reports or plots. NannyML
bins above 10,000 rows, so its values are compared loosely.

    .venv/bin/python benchmarks/drift.py [--quick] [--json]
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from _figures import Figure, arguments, in_turns, show
from _peers import peer_python

PROGRAMS = Path(__file__).parent / "drift_peers"
TESTS = ("ks", "wasserstein", "psi", "jensen_shannon")
REQUIREMENTS = {
    "evidently": ("evidently==0.7.23", "pandas<3"),
    "nannyml": ("nannyml==0.13.1", "statsmodels<0.15"),
    "frouros": ("frouros==0.9.0",),
}
KNOWN_BY = {
    "evidently": TESTS,
    "nannyml": ("ks", "wasserstein", "jensen_shannon"),
    "frouros": ("ks", "wasserstein"),
    "scipy": ("ks", "wasserstein"),
}
# Of the time: against Evidently a twentieth, against everybody else less; against sorting 3 times.
GOALS = {"evidently": 1 / 20, "sort": 3.0}
MEMORY_GOAL = 1 / 3


@dataclass(frozen=True, slots=True)
class Size:
    """A table: rows on each side and columns."""

    n_rows: int
    n_columns: int

    def __str__(self) -> str:
        return f"{self.n_rows:,} x {self.n_columns}"


FULL = (Size(100_000, 50), Size(1_000_000, 20))
QUICK = (Size(100_000, 10),)


def main() -> None:
    """Run every test on every size and print the figures."""
    options = arguments(__doc__)
    rounds = 1 if options.quick else 3
    pythons = _pythons()
    figures: list[Figure] = []
    for size in QUICK if options.quick else FULL:
        for test in TESTS:
            figures += _figures(size, test, pythons, rounds)
    show(figures, as_json=options.json)


def _pythons() -> dict[str, Path]:
    found = {"scipy": Path(sys.executable), "sort": Path(sys.executable)}
    for name, needs in REQUIREMENTS.items():
        if python := peer_python(name, *needs):
            found[name] = python
    return found


def _figures(size: Size, test: str, pythons: Mapping[str, Path], rounds: int) -> list[Figure]:
    taking = [name for name in pythons if name == "sort" or test in KNOWN_BY[name]]
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ours", *taking)}
    measures = {
        name: partial(_seconds, answers[name], name, pythons.get(name), test, size)
        for name in answers
    }
    seconds = in_turns(measures, rounds=rounds)
    ours = statistics.median(seconds["ours"])
    title = f"{test} {size}"
    figures = []
    for name in taking:
        peer, goal = statistics.median(seconds[name]), GOALS.get(name, 1.0)
        figures.append(Figure(f"{title}, time", "s", ours, peer, name, goal, rounds))
        if name == "evidently":
            mine, theirs = _peak(answers["ours"]), _peak(answers[name])
            figures.append(Figure(f"{title}, peak", "MB", mine, theirs, name, MEMORY_GOAL, rounds))
        if name != "sort":
            gap = _largest_gap(answers["ours"][0]["values"], answers[name][0]["values"])
            figures.append(Figure(f"{title}, gap to {name}", "", gap, None, None, None, 1))
    return figures


def _seconds(
    answers: list[dict[str, Any]], name: str, python: Path | None, test: str, size: Size
) -> float:
    program = PROGRAMS / f"{name}_program.py"
    command = [python or sys.executable, "-W", "ignore", program, test]
    done = subprocess.run(
        [*map(str, command), str(size.n_rows), str(size.n_columns)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answers.append(json.loads(done.stdout.splitlines()[-1]))
    return float(answers[-1]["seconds"])


def _peak(answers: list[dict[str, Any]]) -> float:
    return statistics.median(float(answer["peak_mb"]) for answer in answers)


def _largest_gap(ours: list[float], theirs: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
