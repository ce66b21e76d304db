"""Figures of a benchmark: measured in turns, printed for people or as JSON lines."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Figure",
    "arguments",
    "in_turns",
    "machine",
    "percentile",
    "show",
    "show_ratio",
    "turns_parted",
]

N_BOOTSTRAPS = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside one peer's; lower is better. ``goal`` bounds the ratio ours / peer."""

    figure: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    goal: float | None
    n: int

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return None if not self.peer else self.ours / self.peer

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without a goal or a peer."""
        return None if self.goal is None or self.ratio is None else self.ratio <= self.goal


def arguments(description: str | None) -> argparse.Namespace:
    """Parse the options every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    return parser.parse_args()


def in_turns(
    subjects: Mapping[str, Callable[[], float]],
    *,
    rounds: int,
    pause_s: float = 0.0,
    in_a_row: int = 1,
    settle: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Measure every subject once per round, so that a noisy machine is fair to all.

    ``settle`` and then ``pause_s`` before each turn let the one before end: a server that has
    answered may still collect its garbage, or have left its writes to the system (``os.sync``
    waits for these), and the next one measured would pay for it. ``in_a_row`` is how often a
    subject is measured in its turn; the first of them comes after the pause.
    """
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            settle()
            time.sleep(pause_s)
            found[name] += [measure() for _ in range(in_a_row)]
    return found


def turns_parted(
    found: Mapping[str, Sequence[float]], in_a_row: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return of what ``in_turns`` measured the first of every turn, and those after it."""
    first = {name: list(taken[::in_a_row]) for name, taken in found.items()}
    later = {
        name: [value for place, value in enumerate(taken) if place % in_a_row]
        for name, taken in found.items()
    }
    return first, later


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> str:
    """Return where a figure was measured."""
    return f"{platform.machine()} {os.cpu_count()} cores, Python {platform.python_version()}"


def show(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print figures with the machine they were measured on."""
    for figure in figures:
        if as_json:
            line = {**asdict(figure), "ratio": figure.ratio, "holds": figure.holds}
            print(json.dumps({**line, "machine": machine()}))
            continue
        peer = "absent" if figure.peer is None else f"{figure.peer:.2f} {figure.unit}"
        ratio = "" if figure.ratio is None else f"  ratio {figure.ratio:.2f}"
        goal = "" if figure.goal is None else f" (goal {figure.goal:.2f})"
        beside = f"  {figure.peer_name} {peer}" if figure.peer_name else ""
        name = f"{figure.figure} (n = {figure.n})"
        print(f"{name:<42} ours {figure.ours:8.2f} {figure.unit}{beside}{ratio}{goal}")
    if not as_json:
        print(f"medians or percentiles of n as given; {machine()}")


def show_ratio(
    name: str,
    logs: NDArray[np.float64],
    tables: Sequence[str],
    *,
    n: int,
    as_json: bool,
    **beside: Any,
) -> None:
    """Print the geometric mean of ratios, given by their logarithms, one for each problem.

    ``tables`` names the table of each problem: the 95 % bootstrap interval draws them as wholes.
    ``beside`` is printed with it.
    """
    low, high = _interval(logs, tables)
    ratio = float(np.exp(logs.mean()))
    if as_json:
        line = {"figure": name, "unit": "ratio", "ours": ratio, "low": low, "high": high}
        print(json.dumps({**line, "n": n, **beside, "machine": machine()}))
        return
    more = "".join(f", {key} {value}" for key, value in beside.items())
    print(f"{name:<68} {ratio:.2f} (95 % interval {low:.2f} to {high:.2f}, n = {n}{more})")


def _interval(logs: NDArray[np.float64], tables: Sequence[str]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    names = sorted(set(tables))
    rows = {name: np.flatnonzero(np.array(tables) == name) for name in names}
    means = [
        logs[
            np.concatenate([rows[names[i]] for i in rng.integers(0, len(names), len(names))])
        ].mean()
        for _ in range(N_BOOTSTRAPS)
    ]
    low, high = np.exp(np.quantile(means, [0.025, 0.975]))
    return float(low), float(high)
