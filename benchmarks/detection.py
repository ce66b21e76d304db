"""How often the decision on a data set is a false alarm, and how often it sees a planted change.

Tables of six numeric and two categorical columns, each made from its seed, are compared with a
reference: unchanged, or with one planted change. The decision is that any column drifted (p values,
corrected at 5 %), alone and with the domain classifier on all columns together (2.5 % each, so that
both keep 5 %). Beside it stand Evidently's decisions by its defaults (half of the columns drifted;
any did) and NannyML's (any column alerts in any chunk of 100 rows; the multivariate one does), on
the same tables. Neither of them says at which rate it raises false alarms.

    .venv/bin/python benchmarks/detection.py [--quick] [--json]
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _figures import Figure, arguments, show
from _peers import peer_python
from detection_tables import SHIFTS, Shift, Table, pair
from threadpoolctl import threadpool_limits

from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together

ALPHA = 0.05
PROGRAMS = Path(__file__).parent / "detection_peers"
PEERS = {
    "evidently": (("evidently==0.7.23", "pandas<3"), ("half of the columns", "any column")),
    "nannyml": (("nannyml==0.13.1", "statsmodels<0.15"), ("any column", "together")),
}
Decide = Callable[[Table, Table], bool]


def by_columns(reference: Table, current: Table, *, alpha: float = ALPHA) -> bool:
    """Whether any column drifted, by p values."""
    tests = {name: "ks" if name.startswith("x") else "chi_square" for name in reference}
    return check_drift(reference, current, tests=tests, alpha=alpha).is_any_column_drifted


def by_both(reference: Table, current: Table) -> bool:
    """Whether any column drifted, or all together."""
    joint = check_together(
        reference, current, test="domain_classifier", alpha=ALPHA / 2, columns=list(reference)
    )
    return joint.is_drifted or by_columns(reference, current, alpha=ALPHA / 2)


def rate(decide: Decide, shift: Shift, n_seeds: int) -> float:
    """Return the share of seeds for which a change was reported."""
    return float(np.mean([decide(*pair(seed, shift)) for seed in range(n_seeds)]))


def _of_peers(n_seeds: int) -> list[Figure]:
    """Return the rates of the peers' decisions; a peer that cannot be installed has none."""
    figures = []
    for peer, (needs, decisions) in PEERS.items():
        if not (python := peer_python(peer, *needs)):
            continue
        program = PROGRAMS / f"{peer}_program.py"
        command = [str(python), "-W", "ignore", str(program), str(n_seeds)]
        env = {**os.environ, "PYTHONPATH": str(PROGRAMS.parent)}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
        found: dict[str, list[list[bool]]] = json.loads(done.stdout.splitlines()[-1])
        for shift, decided in found.items():
            what = "false alarms" if shift == "none" else f"power, {shift}"
            for name, rate_found in zip(decisions, np.mean(decided, axis=0), strict=True):
                title = f"{what}, {peer}: {name}"
                figures.append(
                    Figure(title, "%", 100 * float(rate_found), None, None, None, n_seeds)
                )
    return figures


def main() -> None:
    """Print the rate of each decision for each change."""
    options = arguments(__doc__)
    n_seeds = 5 if options.quick else 400
    ours: dict[str, Decide] = {"columns": by_columns, "columns and together": by_both}
    figures = _of_peers(5 if options.quick else 50)
    with threadpool_limits(1):  # the tables are small
        for shift in SHIFTS:
            what = "false alarms" if shift.name == "none" else f"power, {shift.name}"
            for name, decide in ours.items():
                found = 100 * rate(decide, shift, n_seeds)
                figures.append(Figure(f"{what}, {name}", "%", found, None, None, None, n_seeds))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
