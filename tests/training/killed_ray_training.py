"""Trains on iris with trials on a Ray of its own and says so after each; the test kills it.

Usage: killed_ray_training.py STUDY_DIRECTORY
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.training.clusters import open_cluster
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train

SPEC = TrainingSpec(
    source="builtin:iris",
    trainers=("linear", "nearest"),
    n_trials=20,
    n_folds=3,
    timeout_s=3600,
    refine=False,
)


def run(study_dir: Path) -> TrainedModel:
    """Train or resume."""

    def say(fraction: float, message: str, numbers: Mapping[str, float]) -> None:
        print(int(numbers.get("n_finished", -1)), flush=True)

    dataset = load_dataset(SPEC.source, roots=[], max_bytes=1)
    return train(
        SPEC,
        dataset,
        study_dir=study_dir,
        report=say,
        away=partial(open_cluster, "local", at_once=2),
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]))
