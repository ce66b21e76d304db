"""Which sampler finds the better front of two objectives in a few dozen trials.

Three problems whose front is known: a quality that grows with the size of a model and has a best
rate in between, as boosted trees have, under noise; and two of the literature (E. Zitzler and
others, 2000, the first; C. Fonseca, P. Fleming, 1995), of six and three parameters. The search is
the one that ``train`` runs, of one family, after its defaults. Compared is the area that a front
dominates, as a share of what the known front dominates; the same seeds for all samplers.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _figures import arguments
from scipy.stats import t

from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.models import Sampler
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import Objective, StudyPlan

SAMPLERS: tuple[Sampler, ...] = ("tpe", "nsga2", "random")
N_TRIALS = (30, 100)


@dataclass(frozen=True)
class Problem:
    """Where to look, what it costs (both to be small), its front, and the worst that counts."""

    suggest: Callable[[ParamSpace], Params]
    first: Params
    losses: Callable[[Params], tuple[float, float]]
    front: Sequence[tuple[float, float]]
    worst: tuple[float, float]


def trees() -> Problem:
    """Return boosted trees as a formula: error by log size and rate, and the log of the size."""

    def suggest(space: ParamSpace) -> Params:
        return {
            "rate": space.real("rate", 0.01, 0.3, log=True),
            "n_rounds": space.integer("n_rounds", 30, 500, log=True),
            "n_leaves": space.integer("n_leaves", 4, 127, log=True),
            "l2": space.real("l2", 1e-3, 30.0, log=True),
        }

    def losses(params: Params) -> tuple[float, float]:
        rate, rounds, leaves, l2 = (
            np.log(float(params[n])) for n in ("rate", "n_rounds", "n_leaves", "l2")
        )
        effort = rate + rounds  # how far it goes
        error = 0.2 + 0.06 * (effort - 2.0) ** 2 + 0.04 * (leaves - 3.2) ** 2 + 0.005 * l2**2
        noise = np.random.default_rng(abs(hash((rate, rounds, leaves))) % 2**32).normal(0, 0.01)
        return float(error + noise), float(rounds + leaves)

    def known() -> list[tuple[float, float]]:
        grid = [(r, s) for r in np.linspace(3.4, 6.2, 60) for s in np.linspace(1.39, 4.84, 60)]
        best_rate = [float(np.clip(2.0 - r, np.log(0.01), np.log(0.3))) for r, _ in grid]
        return [
            (0.2 + 0.06 * (rate + r - 2.0) ** 2 + 0.04 * (s - 3.2) ** 2, r + s)
            for (r, s), rate in zip(grid, best_rate, strict=True)
        ]

    first: Params = {"rate": 0.1, "n_rounds": 80, "n_leaves": 15, "l2": 1e-2}
    return Problem(suggest, first, losses, known(), (1.0, 11.0))


def zitzler() -> Problem:
    """Return the first problem of Zitzler and others, of six parameters."""

    def losses(params: Params) -> tuple[float, float]:
        one, *others = (float(params[f"x{i}"]) for i in range(6))
        far = 1 + 9 * sum(others) / len(others)
        return one, far * (1 - float(np.sqrt(one / far)))

    front = [(x, 1 - float(np.sqrt(x))) for x in np.linspace(0, 1, 2_000)]
    return Problem(*_cube(6, 0.0, 1.0), losses, front, (1.1, 6.0))


def fonseca() -> Problem:
    """Return the problem of Fonseca and Fleming, of three parameters."""

    def losses(params: Params) -> tuple[float, float]:
        values = np.array([float(params[f"x{i}"]) for i in range(3)])
        near = [1 - np.exp(-((values - s / np.sqrt(3)) ** 2).sum()) for s in (1.0, -1.0)]
        return float(near[0]), float(near[1])

    line = np.linspace(-1, 1, 2_000)
    front = [(float(1 - np.exp(-((t - 1) ** 2))), float(1 - np.exp(-((t + 1) ** 2)))) for t in line]
    return Problem(*_cube(3, -4.0, 4.0), losses, front, (1.0, 1.0))


def _cube(n: int, low: float, high: float) -> tuple[Callable[[ParamSpace], Params], Params]:
    def suggest(space: ParamSpace) -> Params:
        return {f"x{i}": space.real(f"x{i}", low, high) for i in range(n)}

    return suggest, {f"x{i}": low + 0.4 * (high - low) for i in range(n)}


def area(points: Sequence[tuple[float, float]], worst: tuple[float, float]) -> float:
    """Return the area between the points and the worst that counts."""
    total, height = 0.0, worst[1]
    for x, y in sorted(points):
        if x < worst[0] and y < height:
            total += (worst[0] - x) * (height - y)
            height = y
    return total


def found(problem: Problem, sampler: Sampler, n_trials: int, seed: int) -> float:
    """Return the share of the known area that a search dominates."""

    def evaluate(params: Params) -> Iterator[float]:
        yield problem.losses(params)[0]

    with tempfile.TemporaryDirectory() as folder:
        plan = StudyPlan(
            Path(folder, "study"), "front", False, n_trials, 1e6, seed, first=[problem.first],
            sampler=sampler, n_costs=1,
        )  # fmt: skip
        objective = Objective(
            problem.suggest, evaluate, costs=lambda params: problem.losses(params)[1:]
        )
        trials = run_study(plan, objective, on_progress=lambda _: None).trials
    points = [(trial.mean_score, trial.costs[0]) for trial in trials]
    return area(points, problem.worst) / area(problem.front, problem.worst)


def main() -> None:
    """Compare and print: the mean share, and what nsga2 has more than tpe (paired t)."""
    options = arguments(__doc__)
    n_seeds = 6 if options.quick else 30
    for name, problem in {"trees": trees(), "zitzler": zitzler(), "fonseca": fonseca()}.items():
        for n_trials in N_TRIALS:
            shares = {
                sampler: np.array([found(problem, sampler, n_trials, s) for s in range(n_seeds)])
                for sampler in SAMPLERS
            }
            more = shares["nsga2"] - shares["tpe"]
            wide = float(t.ppf(0.975, n_seeds - 1))
            error = wide * float(more.std(ddof=1)) / n_seeds**0.5
            line: dict[str, Any] = {
                "problem": name,
                "n_trials": n_trials,
                **{sampler: round(float(each.mean()), 3) for sampler, each in shares.items()},
                "nsga2_minus_tpe": round(float(more.mean()), 3),
                "interval_95": [round(float(more.mean()) + e, 3) for e in (-error, error)],
            }
            told = "  ".join(f"{key} {value}" for key, value in line.items())
            print(json.dumps(line) if options.json else told, flush=True)


if __name__ == "__main__":
    main()
