"""Train and tune, as a step of a pipeline: the model stays in the step's folder."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps._trained import name_of_trained
from ml_orchestrator.orchestration.steps.search import search
from ml_orchestrator.training.models import TrainingSummary

__all__ = ["train"]


def train(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where the model lies and what it is worth; killed, it goes on where it was."""
    found = TrainingSummary.model_validate(search(context, params, {})["summary"])
    holdout = {name: interval.estimate for name, interval in found.holdout.items()}
    return {
        "trained": name_of_trained(context),
        "source": params["source"],
        "trainer": found.trainer,
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "score": holdout.get(found.metric, found.cv_score),
        "cv_score": found.cv_score,
        "holdout": holdout,
        "holdout_score": holdout.get(found.metric),
        "baseline": found.baseline,
        "baseline_score": found.baseline.get(found.metric),
        "dataset_digest": found.dataset_digest,
        "seconds": found.seconds,
    }
