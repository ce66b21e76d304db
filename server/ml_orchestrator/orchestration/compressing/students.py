"""Small models of our own catalogue that a large one can be distilled into."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sklearn.pipeline import Pipeline

from ml_orchestrator.compression.distilling import Candidate
from ml_orchestrator.orchestration.compressing.case import Case
from ml_orchestrator.training.blend import BlendedClassifier
from ml_orchestrator.training.scoring import pipeline_of
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["Small", "small_models"]

MOST_NET_ROWS = 5_000  # to train on: with more, nets take minutes
_SMALL: tuple[tuple[str, str, Params], ...] = (
    ("linear", "linear", {}),
    ("4 trees of a forest", "forest", {"n_trees": 4, "feature_share": 1.0, "min_leaf_rows": 5}),
    ("20 small rounds of boosting", "histogram_boosting", {"n_rounds": 20, "n_leaves": 8}),
    ("60 rounds of boosting", "histogram_boosting", {"n_rounds": 60, "n_leaves": 15}),
    ("150 rounds of boosting", "histogram_boosting", {"n_rounds": 150, "n_leaves": 31}),
    ("a line and 30 rounds of boosting", "linear_boosting", {"n_rounds": 30, "n_leaves": 8}),
    ("a net of 32 units", "neural_net", {"width": 32}),
)


@dataclass(frozen=True, slots=True)
class Small:
    """A candidate, and the trainer and parameters that it is."""

    candidate: Candidate
    trainer: str
    params: Params


def small_models(case: Case) -> list[Small]:
    """Return the small models that fit the problem, the smallest kinds first.

    A student of a quantile learns its teacher's values, so it is built to predict a mean.
    """
    return list(_fitting(case))


def _fitting(case: Case) -> Iterator[Small]:
    table = replace(case.job.table, quantile=None)
    spec = case.origin.spec
    for name, trainer, given in _SMALL:
        if trainer == "neural_net" and len(case.job.split.train) > MOST_NET_ROWS:
            continue
        if TRAINERS[trainer].fits(table.problem):
            params: Params = {**TRAINERS[trainer].first_params, **given}
            build = partial(pipeline_of, spec, table, {"trainer": trainer, **params})
            finish = partial(_finished, getattr(case.model, "threshold", None))
            yield Small(Candidate(name, build, finish), trainer, params)


def _finished(threshold: float | None, pipeline: Pipeline) -> Any:
    """Return what is saved: on one core, and with the threshold of its teacher."""
    model = pipeline.steps[-1][1]
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=None)
    if threshold is None:
        return pipeline
    return BlendedClassifier([("member_1", pipeline)], [1.0], threshold=threshold)
