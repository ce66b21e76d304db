"""Which rule set to try next, by Optuna; of this engine the only module that knows it.

Nothing of Optuna's is stored: its study is built in memory from the trials on record. The k-th
draw depends on the seed, k and the trials before it alone, so a search that was killed and goes on
draws what one that was not would have drawn.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import TPESampler

__all__ = ["Choices", "Direction", "Past", "draw"]

N_RANDOM = 12  # trials before the results are modelled
Direction = Literal["minimize", "maximize"]
Choices = Mapping[str, tuple[str, ...]]
"""What can be chosen, by name."""


@dataclass(frozen=True, slots=True)
class Past:
    """A finished trial: what was chosen, what it scored, and by how much it broke a limit."""

    chosen: Mapping[str, str]
    values: tuple[float, ...]
    excess: float


def draw(
    choices: Choices, past: Sequence[Past], *, directions: Sequence[Direction], seed: int
) -> dict[str, str]:
    """Return what to try after ``past``: by a multi-objective tree of Parzen estimators.

    Args:
        choices: At least one name with at least two options.
        past: Finished trials, in order.
        directions: ``maximize`` or ``minimize`` for each value of a trial.
        seed: Of the whole search.

    References:
        Y. Ozaki et al., "Multiobjective tree-structured Parzen estimator", Journal of Artificial
        Intelligence Research 73 (2022).
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    entropy = np.random.SeedSequence([seed, len(past)]).generate_state(1)
    space: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(options) for name, options in choices.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = TPESampler(
            seed=int(entropy[0]), n_startup_trials=N_RANDOM, multivariate=True, constant_liar=False
        )
        study = optuna.create_study(sampler=sampler, directions=list(directions))
        study.add_trials(
            [
                optuna.trial.create_trial(
                    values=list(trial.values),
                    params=dict(trial.chosen),
                    distributions=space,
                    constraints={"excess": trial.excess},
                )
                for trial in past
            ]
        )
        return {name: str(value) for name, value in study.ask(space).params.items()}
