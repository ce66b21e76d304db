"""What one training is about: its question, the checked rows, and the families that may answer."""

from dataclasses import dataclass, replace

from sklearn.pipeline import Pipeline

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training._optuna import check_sampler
from ml_orchestrator.training.families import (
    too_many_rows,
    unknown_trainer,
    unweighing,
    unweighing_notice,
    usable,
)
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.repeats import repeat_notices
from ml_orchestrator.training.scoring import pipeline_of
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import Split, learnable, plan_split
from ml_orchestrator.training.table import TrainingTable, check_head, prepare_table
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["Job", "check_part", "prepare"]

CHEAP_FIRST = ("linear", "lightgbm", "histogram_boosting", "forest", "extra_trees")


@dataclass(frozen=True, slots=True)
class Job:
    """A training that can start, as all of its steps see it.

    ``trainers`` are the families that fit, in the order in which their defaults are tried;
    ``warnings`` say what of the data or the families is left out.
    """

    spec: TrainingSpec
    dataset: Dataset
    table: TrainingTable
    split: Split
    trainers: tuple[str, ...]
    warnings: tuple[str, ...]

    def build(self, params: Params) -> Pipeline:
        """Return the unfitted pipeline of a trainer's parameters, its name among them."""
        return pipeline_of(self.spec, self.table, params)


def prepare(spec: TrainingSpec, dataset: Dataset) -> Job:
    """Return the job; nothing is fitted or written.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    asked = _trainers(spec)
    check_sampler(spec.sampler)
    table = prepare_table(spec, dataset)
    split = plan_split(spec, table)
    least = min(len(learnable(table, rows)) for rows, _ in split.folds)
    table = replace(table, n_fit_rows=least)
    problem = table.problem
    is_open = table.weights is not None and not spec.trainers
    alike = unweighing(asked, problem) if is_open else []
    return Job(
        spec=spec,
        dataset=dataset,
        table=table,
        split=split,
        trainers=tuple(usable([name for name in asked if name not in alike], problem)),
        warnings=(
            *table.warnings,
            *repeat_notices(spec, table, split),
            *too_many_rows(asked, problem),
            *map(unweighing_notice, alike),
        ),
    )


def check_part(spec: TrainingSpec, head: Dataset) -> None:
    """Return unless a training is certain to refuse a file whose first rows are ``head``.

    Raises:
        InvalidInputError: the data or the spec cannot be used.
    """
    _trainers(spec)
    check_sampler(spec.sampler)
    check_head(spec, head)


def _trainers(spec: TrainingSpec) -> list[str]:
    unknown = [name for name in spec.trainers if name not in TRAINERS]
    if unknown:
        raise unknown_trainer(unknown[0])
    chosen = spec.trainers or tuple(TRAINERS.ours)  # another package's only if it is named
    cheap = [name for name in CHEAP_FIRST if name in chosen]
    return [*cheap, *sorted(set(chosen) - set(cheap))]
