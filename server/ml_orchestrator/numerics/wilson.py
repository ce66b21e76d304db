"""How sure a success rate is, from few trials."""

import math

__all__ = ["Z_95", "newcombe_interval", "wilson_interval"]

Z_95 = 1.959963984540054  # of a 95 % interval


def wilson_interval(successes: float, n: float, *, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a rate; all of 0 to 1 without a trial.

    Reference: E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, 1927. Both may be weighed counts, with ``n`` the rows these count for.

    >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    if n == 0:
        return 0.0, 1.0
    rate, spread = successes / n, z * z / n
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe_interval(
    first: tuple[float, float], second: tuple[float, float], *, z: float = Z_95
) -> tuple[float, float]:
    """Return an interval of ``second``'s rate minus ``first``'s, each given as successes and n.

    Reference: R. G. Newcombe, Interval estimation for the difference between independent
    proportions, 1998, method 10.

    >>> [round(bound, 4) for bound in newcombe_interval((48, 80), (56, 70))]
    [0.0524, 0.3339]
    """
    (a, n_a), (b, n_b) = first, second
    if n_a == 0 or n_b == 0:
        return -1.0, 1.0
    p, q = a / n_a, b / n_b
    (low_p, high_p), (low_q, high_q) = wilson_interval(a, n_a, z=z), wilson_interval(b, n_b, z=z)
    down, up = math.hypot(q - low_q, high_p - p), math.hypot(high_q - q, p - low_p)
    return q - p - down, q - p + up
