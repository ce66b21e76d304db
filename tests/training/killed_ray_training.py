"""Trains on iris with trials on a Ray of its own, says so after each and waits to be killed.

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


def run(study_dir: Path, *, held_at: int | None = None) -> TrainedModel:
    """Train or resume; once ``held_at`` trials are finished, wait for the end of the input."""

    def say(fraction: float, message: str, numbers: Mapping[str, float]) -> None:
        n_finished = int(numbers.get("n_finished", -1))
        print(n_finished, flush=True)
        if held_at is not None and n_finished >= held_at:
            sys.stdin.read()

    dataset = load_dataset(SPEC.source, roots=[], max_bytes=1)
    return train(
        SPEC,
        dataset,
        study_dir=study_dir,
        report=say,
        away=partial(open_cluster, "local", at_once=2),
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), held_at=3)
