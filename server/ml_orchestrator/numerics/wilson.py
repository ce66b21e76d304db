"""How sure a success rate is, from few trials."""

import math

__all__ = ["wilson_interval"]

Z_95 = 1.959963984540054  # of a 95 % interval


def wilson_interval(successes: int, n: int, *, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a rate; all of 0 to 1 without a trial.

    Reference: E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, 1927.

    >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    if n == 0:
        return 0.0, 1.0
    rate, spread = successes / n, z * z / n
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
