"""How often the decision on a data set is a false alarm, and how often it sees a planted change.

Tables of six numeric and two categorical columns, each made from its seed, are compared with a
reference: unchanged, or with one planted change. The decision is that any column drifted (p values,
corrected at 5 %), alone and with the domain classifier on all columns together (2.5 % each, so that
both keep 5 %). No peer is run beside it yet.

    .venv/bin/python benchmarks/detection.py [--quick] [--json]
"""

from collections.abc import Callable

import numpy as np
from _figures import Figure, arguments, show
from detection_tables import SHIFTS, Shift, Table, pair
from threadpoolctl import threadpool_limits

from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together

ALPHA = 0.05
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


def main() -> None:
    """Print the rate of each decision for each change."""
    options = arguments(__doc__)
    n_seeds = 5 if options.quick else 400
    ours: dict[str, Decide] = {"columns": by_columns, "columns and together": by_both}
    figures = []
    with threadpool_limits(1):  # the tables are small
        for shift in SHIFTS:
            what = "false alarms" if shift.name == "none" else f"power, {shift.name}"
            for name, decide in ours.items():
                found = 100 * rate(decide, shift, n_seeds)
                figures.append(Figure(f"{what}, {name}", "%", found, None, None, None, n_seeds))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
