"""How often the decision on a data set is a false alarm, and how often it sees a planted change.

Tables of six numeric and two categorical columns, each made from its seed, are compared with a
reference: unchanged, or with one planted change. The decision is that any column drifted (p values,
corrected at 5 %), alone and with the domain classifier on all columns together (2.5 % each, so that
both keep 5 %). Beside it stand Evidently's decisions by its defaults (half of the columns drifted;
any did) and NannyML's (any column alerts in any chunk of 100 rows; the multivariate one does), on
the same tables. Neither of them says at which rate it raises false alarms.

It can run in parts: ``--only`` chooses who decides (``columns`` is ours by columns alone, quick
enough to know a rate of false alarms closely; ``half`` is the headline of ours, that half of the
columns drifted; ``large`` is ours as it comes, by distances beyond chance, where the reference has
5,000 rows), ``--changes`` on which tables (not of the peers),
``--keep FILE`` writes down the decisions by seed and makes none again that the file holds.

    .venv/bin/python benchmarks/detection.py [--quick] [--json] [--keep FILE]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from _figures import Figure, show
from _kept import Kept
from _peers import peer_python
from detection_tables import N_REFERENCE, SHIFTS, Table, pair
from threadpoolctl import threadpool_limits

from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together
from ml_orchestrator.numerics import kolmogorov_smirnov

ALPHA = 0.05
PROGRAMS = Path(__file__).parent / "detection_peers"
DECISIONS = {
    "ours": ("columns", "columns and together"),
    "columns": ("ours",),
    "half": ("of our columns",),
    "large": ("any column",),
    "evidently": ("half of the columns", "any column"),
    "nannyml": ("any column", "together"),
}
NEEDS = {
    "evidently": ("evidently==0.7.23", "pandas<3"),
    "nannyml": ("nannyml==0.13.1", "statsmodels<0.15"),
}
USUAL = [name for name in DECISIONS if name not in ("columns", "half", "large")]
LARGE_REFERENCE = 5_000  # above 1,000 rows columns are compared by distances
NAMES = tuple(shift.name for shift in SHIFTS)
AT_ONCE = 5  # seeds of one call of a program
Decisions = dict[str, list[list[bool]]]  # of each change, by seed, each of them
Decide = Callable[[Table, Table], bool]

# Tables of one size have the same gaps again and again; their exact p values take most of the time.
kolmogorov_smirnov._exact_p_value = lru_cache(None)(kolmogorov_smirnov._exact_p_value)


def by_columns(reference: Table, current: Table, *, alpha: float = ALPHA) -> bool:
    """Whether any column drifted, by p values."""
    tests = {name: "ks" if name.startswith("x") else "chi_square" for name in reference}
    return check_drift(reference, current, tests=tests, alpha=alpha).is_any_column_drifted


def by_half(reference: Table, current: Table) -> bool:
    """Whether half of the columns drifted, by the tests that are chosen for who names none."""
    return check_drift(reference, current, alpha=ALPHA).is_drifted


def as_it_comes(reference: Table, current: Table) -> bool:
    """Whether any column drifted, by the tests that are chosen for who names none."""
    return check_drift(reference, current, alpha=ALPHA).is_any_column_drifted


def by_both(reference: Table, current: Table) -> bool:
    """Whether any column drifted, or all together."""
    joint = check_together(
        reference, current, test="domain_classifier", alpha=ALPHA / 2, columns=list(reference)
    )
    return joint.is_drifted or by_columns(reference, current, alpha=ALPHA / 2)


def ours(
    first: int,
    last: int,
    *,
    decisions: Sequence[Decide],
    changes: Collection[str],
    n_reference: int = N_REFERENCE,
) -> Decisions:
    """Return our decisions for seeds from ``first`` to the one before ``last``."""
    with threadpool_limits(1):  # the tables are small
        return {
            shift.name: [
                [bool(decide(*pair(seed, shift, n_reference))) for decide in decisions]
                for seed in range(first, last)
            ]
            for shift in SHIFTS
            if shift.name in changes
        }


OWN: dict[str, dict[str, Any]] = {
    "ours": {"decisions": (by_columns, by_both)},
    "columns": {"decisions": (by_columns,)},
    "half": {"decisions": (by_half,)},
    "large": {"decisions": (as_it_comes,), "n_reference": LARGE_REFERENCE},
}


def of_peer(name: str, python: Path) -> Callable[[int, int], Decisions]:
    """Return what asks a peer's program for the same."""

    def decisions(first: int, last: int) -> Decisions:
        program = PROGRAMS / f"{name}_program.py"
        command = [str(python), "-W", "ignore", str(program), str(first), str(last)]
        env = {**os.environ, "PYTHONPATH": str(PROGRAMS.parent)}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
        found: Decisions = json.loads(done.stdout.splitlines()[-1])
        return found

    return decisions


def main() -> None:
    """Print the rate of each decision for each change."""
    options = _options()
    kept = Kept(options.keep)
    figures = []
    for name in options.only:
        if name in OWN:
            decide = partial(ours, changes=options.changes, **OWN[name])
            figures += _figures(name, decide, options.own_seeds, kept, options.changes)
        elif python := peer_python(name, *NEEDS[name]):
            figures += _figures(name, of_peer(name, python), options.seeds, kept, NAMES)
    show(figures, as_json=options.json)
    print(kept.loads(), file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five seeds")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--only", nargs="+", choices=[*DECISIONS], default=USUAL)
    parser.add_argument("--changes", nargs="+", choices=NAMES, default=NAMES, help="ours alone")
    parser.add_argument("--seeds", type=int, default=20, help="of the peers")
    parser.add_argument("--own-seeds", type=int, default=400)
    parser.add_argument("--keep", type=Path, help="file of decisions: read, and written to")
    options = parser.parse_args()
    if options.quick:
        options.seeds = options.own_seeds = AT_ONCE
    return options


def _figures(
    name: str,
    decide: Callable[[int, int], Decisions],
    n_seeds: int,
    kept: Kept,
    changes: Collection[str],
) -> list[Figure]:
    """Return the rates of one subject's decisions, those that are kept taken from there."""
    found: Decisions = {change: [] for change in changes}
    for first in range(0, n_seeds, AT_ONCE):
        last = min(first + AT_ONCE, n_seeds)
        asked = {"name": name, "first": first, "last": last}
        if set(changes) != set(NAMES):
            asked["changes"] = sorted(changes)
        known = kept.get(asked)
        if known is None:
            known = decide(first, last)
            kept.add(asked, known)
        for shift, decided in known.items():
            found[shift] += decided
    return [
        Figure(f"{_what(shift)}, {name}: {decision}", "%", 100 * rate, None, None, None, n_seeds)
        for shift, decided in found.items()
        for decision, rate in zip(DECISIONS[name], np.mean(decided, axis=0).tolist(), strict=True)
    ]


def _what(shift: str) -> str:
    return "false alarms" if shift == "none" else f"power, {shift}"


if __name__ == "__main__":
    main()
