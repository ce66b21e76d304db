"""Search for a model, tune it and score it on rows the search never saw."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.memory.experience import ExperienceStore, FamilyBest, SearchFound
from ml_orchestrator.orchestration.announcing import outbox_of
from ml_orchestrator.orchestration.events.kinds import SearchFinished
from ml_orchestrator.orchestration.steps._base import STOP_FILE, StepContext
from ml_orchestrator.orchestration.steps._trained import save_extras, save_trained
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.training.clusters import open_cluster
from ml_orchestrator.training.models import SPEC_FILE, Task, TrainingSpec, TrainingSummary, made_of
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.trials import Away
from ml_orchestrator.training.warm_start import Experience, Leader

__all__ = ["search"]

_log = logging.getLogger(__name__)


def search(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Train and leave the model in the run's folder; goes on with a study it finds there.

    It begins with what did best on similar data, and stores what it found for later ones.
    """
    spec = TrainingSpec.model_validate(
        {name: params[name] for name in TrainingSpec.model_fields if name in params}
    )  # a run that an earlier release queued lacks what came later
    settings = context.settings
    dataset = load_dataset(
        spec.source,
        roots=settings.roots,
        max_bytes=settings.max_data_bytes,
        column_types=spec.column_types,
    )
    with _state(context) as database:
        experience, shelf = ExperienceStore(database), _shelf(context, database)
        trained = train(
            spec,
            dataset,
            study_dir=context.folder / "study",
            report=context.report,
            recall=lambda task: _recalled(experience, task),
            is_stopped=(context.folder / STOP_FILE).exists,
            away=_away(context),
            shelf=shelf,
        )
        save_trained(context.folder, trained)
        save_extras(
            context.folder, {SPEC_FILE: json.dumps({"spec": spec.model_dump(mode="json")}).encode()}
        )
        _remember(context, database, experience, spec.source, trained)
    return {"summary": trained.summary.model_dump(mode="json")}


def _away(context: StepContext) -> Away | None:
    """Return where trials run, if not in this process."""
    settings = context.settings
    if settings.ray_address is None:
        return None
    return partial(
        open_cluster,
        settings.ray_address,
        at_once=settings.ray_trials,
        plugins=settings.plugins,
    )


def _shelf(context: StepContext, database: Database) -> StudyShelf | None:
    """Return where workers of other data directories find the search; None if there are none."""
    if context.settings.database_url is None:
        return None
    return StudyShelf(database, context.run_id, context.place)


@contextmanager
def _state(context: StepContext) -> Iterator[Database]:
    database = open_database(context.settings.state_url, context.settings.home)
    try:
        yield database
    finally:
        database.close()


def _recalled(store: ExperienceStore, task: Task) -> Sequence[Experience]:
    return [
        Experience(
            run_id=found.run_id,
            dataset_digest=found.dataset_digest,
            meta_features=found.meta_features,
            leaders=[Leader(each.trainer, each.params) for each in found.leaders],
        )
        for found in store.of_task(task)
    ]


def _remember(
    context: StepContext,
    database: Database,
    experience: ExperienceStore,
    source: str,
    trained: TrainedModel,
) -> None:
    """Store what was found, and publish what the agent learns; a model is not lost over it."""
    summary = trained.summary
    found = SearchFound(
        run_id=context.effect_id,
        agent=context.actor,
        task=summary.task,
        dataset_digest=summary.dataset_digest,
        metric=summary.metric,
        score=summary.cv_score,
        n_trials=summary.n_trials,
        meta_features=summary.meta_features,
        leaders=[FamilyBest(each.trainer, each.params) for each in trained.leaders],
    )
    try:
        outbox, learnt = outbox_of("step"), _learnt(context, source, summary)
        event_id = f"{context.effect_id}-search"[-64:]
        experience.add(found, added=lambda c: outbox.publish(c, learnt, id=event_id))
    except OrchestratorError:
        _log.warning("What run %s found could not be remembered", context.run_id, exc_info=True)


def _learnt(context: StepContext, source: str, summary: TrainingSummary) -> SearchFinished:
    held_out = summary.holdout.get(summary.metric)
    baseline = summary.baseline.get(summary.metric)
    score = f"{summary.metric} {summary.cv_score:.4f} in cross-validation"
    if held_out is not None:
        score += f", {held_out.estimate:.4f} ({held_out.low:.4f} to {held_out.high:.4f}) held out"
    name = summary.strongest_baseline
    beside = "" if baseline is None else f"; the best baseline ({name}) has {baseline:.4f}"
    is_better = summary.baseline_gain is not None and summary.baseline_gain.low > 0
    model = made_of(summary.trainer, len(summary.members))
    settings = ", ".join(f"{name} {value}" for name, value in summary.params.items())
    return SearchFinished(
        run_id=context.run_id,
        actor=context.actor,
        area="training_optimization",
        insight=f"On {source[:200]} ({summary.n_rows_train} rows to learn from, target "
        f"{summary.target[:100]}) {model} did best of {summary.n_trials} trials: {score}{beside}. "
        f"{summary.trainer} with {settings[:1_000]}.",
        impact="medium" if is_better else "low",
        confidence=0.9 if is_better else 0.5,
    )
