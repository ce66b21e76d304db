"""Trains on iris with trials on a Ray of its own and says how many are finished; the test kills it.

Usage: killed_ray_training.py STUDY_DIRECTORY

From the third trial on it waits for the end of its input. At its end it prints how many trials
there were and how many failed.
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


HELD_AT = 3


def run(study_dir: Path) -> TrainedModel:
    """Train or resume."""

    def say(fraction: float, message: str, numbers: Mapping[str, float]) -> None:
        n_finished = int(numbers.get("n_finished", -1))
        print(n_finished, flush=True)
        if n_finished >= HELD_AT:
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
    found = run(Path(sys.argv[1])).summary
    print(found.n_trials, found.n_failed)
