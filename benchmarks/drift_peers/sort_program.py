"""The time it takes to sort both tables, column by column: what no exact test can beat."""

import numpy as np
from _table import Table, answer


def check(_: str, before: Table, after: Table) -> list[float]:
    """Return the smallest value of each column, sorted for it."""
    for name in before:
        np.sort(after[name])
    return [float(np.sort(values)[0]) for values in before.values()]


if __name__ == "__main__":
    answer(check)
