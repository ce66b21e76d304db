"""Trains on iris and says so after every fold; the test kills it.

Usage: killed_training.py STUDY_DIRECTORY
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train

SPEC = TrainingSpec(
    source="builtin:iris", trainers=("linear", "extra_trees"), n_trials=12, n_folds=3, seed=4
)


def run(study_dir: Path) -> TrainedModel:
    """Train or resume."""

    def say(fraction: float, message: str, numbers: Mapping[str, float]) -> None:
        print(int(numbers.get("n_finished", -1)), flush=True)

    dataset = load_dataset(SPEC.source, roots=[], max_bytes=1)
    return train(SPEC, dataset, study_dir=study_dir, report=say)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
