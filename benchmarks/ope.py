"""How near estimates of another policy come to the truth, on digits logged as a bandit.

A policy learned from 60 digits, mixed half with chance, is logged; asked about is one learned from
539 digits, nine times out of ten. The remaining 1,258 digits are the population: each run draws as
many rows from it, so the true value is known exactly. Peers that estimate the same are unmaintained
or need deep-learning libraries, so there is none beside ours. Last, logs that hardly speak
for a policy: rewards are coins whatever is done, the policy always does what was logged one time in
twenty; how often `policy_evaluate` refuses, and how often it claims a gain or a loss that is none.
And logs in which nearly all succeeds: 480 rows, twelve actions alike, of which the policy always
takes one, so about 40 rows count and often all of them are 1; false claims, and how often the
intervals of values hold the truth.

    .venv/bin/python benchmarks/ope.py [--quick] [--json]
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from _figures import Figure, arguments, show
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ml_orchestrator.learning.policy_models import Method, PolicyReport
from ml_orchestrator.learning.policy_value import AllActions, PolicyRows, value_of
from ml_orchestrator.numerics.off_policy import (
    Estimate,
    direct_method,
    doubly_robust,
    importance_weights,
    inverse_propensity,
    self_normalised,
)
from ml_orchestrator.numerics.reward_models import cross_fitted

N_TRAIN, N_LOGGING = 539, 60
N_ACTIONS = 10
ERROR_GOAL = 0.025
RARE = 0.05
THIN_ROWS = (40, 100, 400, 700, 1_000, 2_000)
RATES = (0.5, 0.8, 0.9, 0.95, 0.98)
N_SURE, N_ALIKE = 480, 12
VALUES: tuple[Method, ...] = ("snips", "doubly_robust")


@dataclass(frozen=True, slots=True)
class World:
    """Digits with the chances that the logged policy and the one asked about give each class."""

    contexts: NDArray[np.float64]
    digits: NDArray[np.int64]
    logging: NDArray[np.float64]
    target: NDArray[np.float64]

    @property
    def truth(self) -> float:
        """What the policy asked about earns."""
        return float(self.target[np.arange(len(self.digits)), self.digits].mean())


def main() -> None:
    """Run all seeds and print errors and coverage."""
    options = arguments(__doc__)
    n_seeds = 60 if options.quick else 500
    runs = [_run(seed) for seed in range(n_seeds)]
    figures = [figure for name in runs[0][1] for figure in _figures(name, runs)]
    n_thin = 200 if options.quick else 2_000
    figures += [figure for n in THIN_ROWS for figure in _thin(n, n_thin)]
    figures += [figure for rate in RATES for figure in _sure(rate, n_thin)]
    show(figures, as_json=options.json)


def _run(seed: int) -> tuple[float, Mapping[str, Estimate]]:
    rng = np.random.default_rng(seed)
    world = _world(rng)
    rows = rng.integers(0, len(world.digits), len(world.digits))
    steps = world.logging[rows].cumsum(axis=1)
    drawn = (steps < rng.random((len(rows), 1)) * steps[:, -1:]).sum(axis=1)
    rewards = (drawn == world.digits[rows]).astype(float)
    weights = importance_weights(world.target[rows, drawn], world.logging[rows, drawn])
    expected = cross_fitted(world.contexts[rows], drawn, rewards, n_actions=N_ACTIONS, rng=rng)
    target = world.target[rows]
    return world.truth, {
        "IPS": inverse_propensity(rewards, weights),
        "SNIPS": self_normalised(rewards, weights),
        "direct method": direct_method(expected, target),
        "doubly robust": doubly_robust(rewards, weights, drawn, expected, target),
    }


def _thin(n: int, n_seeds: int) -> list[Figure]:
    """Return how many of logs with ``n`` rows are refused, and false claims of the others."""
    reports = [_without_gain(n, seed) for seed in range(n_seeds)]
    gains = [report.gain for report in reports if report.gain is not None]
    n_false = sum((g.low or 0.0) > 0 or (g.high or 0.0) < 0 for g in gains)
    title, refused = f"{n} rows, chance 1/20", 100 * (1 - len(gains) / n_seeds)
    figures = [Figure(f"{title}, refused", "%", refused, None, None, None, n_seeds)]
    if gains:
        share = 100 * n_false / len(gains)
        figures.append(Figure(f"{title}, false claims", "%", share, None, None, None, len(gains)))
    return figures


def _without_gain(n: int, seed: int) -> PolicyReport:
    rng = np.random.default_rng([seed, n])
    does, rewards = rng.random(n) < RARE, (rng.random(n) < 0.5).astype(float)
    rows = PolicyRows(rewards, np.where(does, RARE, 1 - RARE), does.astype(float))
    return value_of(rows, level="L1")


def _sure(rate: float, n_seeds: int) -> list[Figure]:
    """Return false claims where every action succeeds at one rate, and coverage of the values."""
    reports = [r for seed in range(n_seeds) if not (r := _all_alike(rate, seed)).is_refused]
    gains = [report.gain for report in reports if report.gain is not None]
    n_false = sum((g.low or 0.0) > 0 or (g.high or 0.0) < 0 for g in gains)
    shares = {"false claims": n_false / len(gains)}
    for name in VALUES:
        found = [report.estimates[name] for report in reports]
        held = sum((e.low or 0.0) <= rate <= (e.high or 0.0) for e in found)
        shares[f"{name}, coverage"] = held / len(found)
    return [
        Figure(f"rate {rate}, {name}", "%", 100 * share, None, None, None, len(reports))
        for name, share in shares.items()
    ]


def _all_alike(rate: float, seed: int) -> PolicyReport:
    rng = np.random.default_rng([seed, N_ALIKE])
    actions = rng.integers(N_ALIKE, size=N_SURE)
    target = np.zeros((N_SURE, N_ALIKE))
    target[:, 0] = 1
    known = AllActions(actions, target, rng.random((N_SURE, 3)))
    rewards = (rng.random(N_SURE) < rate).astype(float)
    chances = np.full(N_SURE, 1 / N_ALIKE)
    return value_of(PolicyRows(rewards, chances, (actions == 0) * 1.0, known), level="L1")


def _world(rng: np.random.Generator) -> World:
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    train, rest = order[:N_TRAIN], order[N_TRAIN:]
    good = LogisticRegression(C=0.1, max_iter=500).fit(x[train] / 16, y[train])
    weak = LogisticRegression(C=1.0, max_iter=500).fit(
        x[train[:N_LOGGING]] / 16, y[train[:N_LOGGING]]
    )
    chosen = np.eye(N_ACTIONS)[good.predict(x[rest] / 16)]
    logged = np.zeros((len(rest), N_ACTIONS))
    logged[:, weak.classes_] = weak.predict_proba(x[rest] / 16)
    return World(
        x[rest] / 16, y[rest], 0.5 * logged + 0.5 / N_ACTIONS, 0.9 * chosen + 0.1 / N_ACTIONS
    )


def _figures(name: str, runs: list[tuple[float, Mapping[str, Estimate]]]) -> list[Figure]:
    truths = np.array([truth for truth, _ in runs])
    values, lows, highs = (
        np.array([getattr(found[name], part) for _, found in runs])
        for part in ("value", "low", "high")
    )
    error = float(np.mean(np.abs(values - truths) / truths))
    goal = ERROR_GOAL if name == "doubly robust" else None
    figures = [
        Figure(
            f"{name}, mean error",
            "%",
            100 * error,
            goal and 100 * goal,
            "the goal" if goal else None,
            1.0 if goal else None,
            len(runs),
        )
    ]
    if np.all(np.isfinite(lows)):
        covered = float(np.mean((lows <= truths) & (truths <= highs)))
        figures.append(Figure(f"{name}, coverage", "%", 100 * covered, None, None, None, len(runs)))
    return figures


if __name__ == "__main__":
    main()
