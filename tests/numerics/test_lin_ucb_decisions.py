"""LinUCB decides as mabwiser does, on digits; its decisions were written down by a script."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from ml_orchestrator.numerics.bandits.lin_ucb import LinUcb
from ml_orchestrator.numerics.bandits.ridge import FadingRidge

REFERENCE = Path(__file__).with_name("mabwiser_decisions.json")


def digits() -> tuple[NDArray[np.float64], NDArray[np.int64], list[int]]:
    """Contexts and digits in the order of the reference, and what mabwiser decided."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(reference["seed"]).permutation(len(y))
    contexts = np.hstack([x / 16.0, np.ones((len(y), 1))])[order]
    return contexts, y[order], [int(digit) for digit in "".join(reference["decisions"])]


def test_every_decision_on_digits_is_that_of_mabwiser() -> None:
    contexts, right, expected = digits()

    policy, decisions = LinUcb(10, 65, alpha=0.3), []
    for context, digit in zip(contexts, right, strict=True):
        decisions.append(policy.choose(context))
        policy.update(decisions[-1], context, float(decisions[-1] == digit))

    assert len(expected) == 1_797
    assert decisions == expected
    assert int(np.sum(np.array(decisions) != right)) <= 260


def test_the_arms_of_the_learner_decide_alike_when_nothing_fades() -> None:
    contexts, right, expected = digits()

    arms, decisions = [FadingRidge(65, discount=1.0) for _ in range(10)], []
    for at, context in enumerate(contexts):
        bounds = [arm.upper_mean(at, context, alpha=0.3) for arm in arms]
        chosen = int(np.argmax(np.round(bounds, 9)))  # the first of equals
        arms[chosen].update(at, context, float(chosen == right[at]))
        decisions.append(chosen)

    assert decisions == expected
