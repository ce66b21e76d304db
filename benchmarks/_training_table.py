"""The figures of ``training.py``, from what was answered: ranks, excess, differences, losses."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from _contenders import Question, question
from _real_tables import Problem
from _training_answers import AnswerBook, KeptAnswer
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml_orchestrator.training.gains import gain
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.out_of_fold import Answers

__all__ = ["Answered", "judged", "show"]

OURS = "ours"
DEFAULTS = ("default boosting", "default forest", "default lightgbm")
N_BOOTSTRAPS = 2_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What one contender made of one question; ``loss`` is 1 - score, or an error measure."""

    given: Predictions
    loss: float
    kept: KeptAnswer


Round = Mapping[str, Answered]
"""What all contenders made of one question."""


def judged(asked: Question, answer: KeptAnswer) -> Answered:
    """Return an answer with its loss, from 0 to 1."""
    metric, given = asked.table.metric, answer.beside_truth(asked)
    score = metric.compute(given)
    loss = 1 - score if metric.higher_is_better else score
    return Answered(given, float(np.clip(loss, 0, 1)), answer)


def show(
    book: AnswerBook,
    problems: Mapping[str, Problem],
    order: Sequence[str],
    budget_s: float,
    *,
    as_json: bool,
) -> None:
    """Print the figures of one budget; ``order`` is that of the contenders.

    A set and seed that not all who answered anything have answered is left out, and said so.
    """
    answers = book.rounds(budget_s)
    names = [name for name in order if any(name in found for found in answers.values())]
    whole = {key: found for key, found in answers.items() if set(names) <= set(found)}
    if len(whole) < len(answers):
        missing = ", ".join(
            f"{name} ({seed})" for name, seed in answers if (name, seed) not in whole
        )
        print(f"not answered by all, so left out: {missing}", file=sys.stderr)
    if not whole or names[0] != OURS:
        print(f"at {budget_s:g} s there is nothing to compare ours with", file=sys.stderr)
        return
    rounds: dict[tuple[str, int], tuple[Question, Round]] = {}
    for (name, seed), found in whole.items():
        asked = question(problems[name], budget_s=budget_s, seed=seed)
        rounds[name, seed] = asked, {who: judged(asked, found[who]) for who in names}
    _show_ranks(rounds, names, budget_s, as_json=as_json)
    _show_times(rounds, names, budget_s, as_json=as_json)
    _show_worse(rounds, names, budget_s, as_json=as_json)


Rounds = Mapping[tuple[str, int], tuple[Question, Round]]


def _show_ranks(rounds: Rounds, names: Sequence[str], budget_s: float, *, as_json: bool) -> None:
    losses = np.array([[found[name].loss for name in names] for _, found in rounds.values()])
    sets = [name for name, _ in rounds]
    ranks = np.array([rankdata(row.round(6)) for row in losses])
    excess = losses - losses.min(axis=1, keepdims=True)
    at, n = f"at {budget_s:g} s", len(ranks)
    for place, name in enumerate(names):
        _line(f"mean rank {at}, {name}", "rank", ranks[:, place].mean(), None, n, as_json)
        _line(
            f"mean excess {at}, {name}", "points", 100 * excess[:, place].mean(), None, n, as_json
        )
    for place, name in enumerate(names[1:], start=1):
        difference = 100 * (losses[:, place] - losses[:, 0])
        ends = _interval(difference, sets)
        _line(f"loss of {name} less ours {at}", "points", difference.mean(), ends, n, as_json)


def _show_times(rounds: Rounds, names: Sequence[str], budget_s: float, *, as_json: bool) -> None:
    at, n = f"at {budget_s:g} s", len(rounds)
    for name in names:
        kept = [found[name].kept for _, found in rounds.values()]
        seconds = [answer.seconds for answer in kept]
        _line(f"mean wall time {at}, {name}", "s", float(np.mean(seconds)), None, n, as_json)
        if name == OURS:
            longest = max(seconds) / budget_s
            _line(f"longest wall time of ours / budget {at}", "ratio", longest, None, n, as_json)
        if n_failed := sum(answer.has_failed for answer in kept):
            _line(f"failed {at}, {name}", "rounds", n_failed, None, n, as_json)
    loads = [answer.kept.load for _, found in rounds.values() for answer in found.values()]
    low, high = np.quantile(loads, [0.1, 0.9])
    _line(f"load {at}, tenth to nine tenths", "", float(np.median(loads)), (low, high), n, as_json)


def _show_worse(rounds: Rounds, names: Sequence[str], budget_s: float, *, as_json: bool) -> None:
    if not set(names) & set(DEFAULTS):
        return
    worse = [f"{name} ({seed})" for (name, seed), pair in rounds.items() if _is_worse(*pair)]
    label = f"sets worse than a default at {budget_s:g} s"
    _line(label, "sets", len(worse), None, len(rounds), as_json)
    if worse:
        print(f"worse than the best default beyond noise: {', '.join(worse)}", file=sys.stderr)


def _is_worse(asked: Question, found: Round) -> bool:
    """Whether ours is worse than the best default beyond noise."""
    present = [name for name in DEFAULTS if name in found]
    best = min(present, key=lambda name: found[name].loss)
    groups = asked.table.groups
    measured = gain(
        Answers((found[best].given,)),
        Answers((found[OURS].given,)),
        metric=asked.table.metric,
        groups=None if groups is None else [groups[asked.split.test]],
        is_ordered=asked.table.times is not None,
        seed=0,
    )
    return measured.high < 0


def _line(
    name: str, unit: str, value: float, ends: tuple[float, float] | None, n: int, as_json: bool
) -> None:
    if as_json:
        machine = f"{platform.machine()} 1 core, Python {platform.python_version()}"
        low, high = ends or (None, None)
        line = {"figure": name, "unit": unit, "ours": float(value), "low": low, "high": high}
        print(json.dumps({**line, "n": n, "machine": machine}))
        return
    within = "" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f})"
    print(f"{name:<56} {value:7.2f} {unit}{within}, n = {n}")


def _interval(values: NDArray[np.float64], sets: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean, sets drawn with all their seeds."""
    rng = np.random.default_rng(0)
    names = sorted(set(sets))
    means = np.array([values[np.array(sets) == name].mean() for name in names])
    drawn = means[rng.integers(0, len(names), (N_BOOTSTRAPS, len(names)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
