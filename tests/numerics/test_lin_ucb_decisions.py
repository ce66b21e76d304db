"""LinUCB decides as mabwiser does, on digits; its decisions were written down by a script."""

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from ml_orchestrator.numerics.bandits.lin_ucb import LinUcb

REFERENCE = Path(__file__).with_name("mabwiser_decisions.json")


def test_every_decision_on_digits_is_that_of_mabwiser() -> None:
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    expected = [int(digit) for digit in "".join(reference["decisions"])]
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(reference["seed"]).permutation(len(y))
    contexts = np.hstack([x / 16.0, np.ones((len(y), 1))])[order]

    policy, decisions = LinUcb(10, 65, alpha=0.3), []
    for context, digit in zip(contexts, y[order], strict=True):
        decisions.append(policy.choose(context))
        policy.update(decisions[-1], context, float(decisions[-1] == digit))

    assert len(expected) == 1_797
    assert decisions == expected
    assert int(np.sum(np.array(decisions) != y[order])) <= 260
