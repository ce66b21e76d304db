"""Pictures of experiments hold for any names."""

import numpy as np
import pytest

from ml_orchestrator.evaluation.experiments.evaluate import evaluate_table
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.plots import experiment_plot

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("is_monitored", [False, True])
@pytest.mark.parametrize("names", [("a", "b"), ("$x_{$", "$\\frac$")])
def test_an_experiment_is_drawn_whatever_its_arms_are_called(
    names: tuple[str, str], is_monitored: bool
) -> None:
    rng = np.random.default_rng(0)
    arm = rng.permutation(np.repeat(np.array(names, dtype=object), 400))
    table = {"arm": arm, "won": rng.normal(arm == names[1]), "day": np.arange(800.0)}
    options = ExperimentOptions(
        arm="arm", outcome="won", time_column="day", is_monitored=is_monitored
    )
    report = evaluate_table(table, options)
    assert report.looks if is_monitored else report.over_time
    assert experiment_plot(report).startswith(PNG)
