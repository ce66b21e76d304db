"""A trained model on its way from the search to the registry, in the folder of its run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.modelfiles.optional import onnx_files
from ml_orchestrator.modelfiles.skops_file import load_skops
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.training.models import TrainingSummary
from ml_orchestrator.training.search import TrainedModel

__all__ = [
    "SavedModel",
    "load_trained",
    "name_of_trained",
    "save_extras",
    "save_trained",
    "trained_at",
]

PIPELINE, EXAMPLE, ABOUT, PLOTS = "pipeline.skops", "example.parquet", "about.json", "plots"
CARD, EXTRAS = "model_card.md", "extras"
GRAPH = "pipeline.onnx"  # in place of the pipeline


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What the registry needs of a trained model; plots are PNG by name, the card is Markdown.

    ``extras`` are further files of its run, by name.
    """

    pipeline: Any
    summary: TrainingSummary
    input_example: pd.DataFrame
    plots: dict[str, bytes]
    pip_requirements: tuple[str, ...]
    card: str
    extras: dict[str, bytes]


def name_of_trained(context: StepContext) -> str:
    """Return by what later steps of a pipeline find what this one has saved."""
    return str(context.folder.relative_to(_runs(context)))


def trained_at(context: StepContext, name: str) -> Path:
    """Return the folder of what an earlier step has saved.

    Raises:
        NotFoundError: nothing trained lies there.
    """
    runs = _runs(context).resolve()
    folder = (runs / name).resolve()
    if not folder.is_relative_to(runs) or not (folder / ABOUT).is_file():
        raise NotFoundError(
            f"No trained model at {name!r}. Pass ${{steps.TRAIN.output.trained}} of a step that "
            "uses train."
        )
    return folder


def _runs(context: StepContext) -> Path:
    return context.settings.home / "runs"


def save_trained(folder: Path, trained: TrainedModel) -> None:
    """Write a trained model into ``folder``, over what an earlier attempt left."""
    if isinstance(content := getattr(trained.pipeline, "content", None), bytes):
        (folder / GRAPH).write_bytes(content)
    else:
        skops.io.dump(trained.pipeline, folder / PIPELINE)
    trained.input_example.to_parquet(folder / EXAMPLE)
    (folder / PLOTS).mkdir(exist_ok=True)
    for name, picture in trained.plots.items():
        (folder / PLOTS / f"{name}.png").write_bytes(picture)
    (folder / CARD).write_text(trained.card, encoding="utf-8")
    about = {
        "summary": trained.summary.model_dump(mode="json"),
        "pip_requirements": list(trained.pip_requirements),
    }
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def save_extras(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write further files, by name, that are logged with the model."""
    (folder / EXTRAS).mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / EXTRAS / name).write_bytes(content)


def load_trained(folder: Path, trusted_types: Sequence[str]) -> SavedModel:
    """Read what ``save_trained`` wrote; its pipeline may hold these types besides skops's own.

    Raises:
        IntegrityViolationError: it holds a type that is not trusted.
    """
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return SavedModel(
        pipeline=_model(folder, trusted_types),
        summary=TrainingSummary.model_validate(about["summary"]),
        input_example=pd.read_parquet(folder / EXAMPLE),
        plots={path.stem: path.read_bytes() for path in sorted((folder / PLOTS).glob("*.png"))},
        pip_requirements=tuple(about["pip_requirements"]),
        card=(folder / CARD).read_text(encoding="utf-8"),
        extras={path.name: path.read_bytes() for path in sorted((folder / EXTRAS).glob("*"))},
    )


def _model(folder: Path, trusted_types: Sequence[str]) -> Any:
    if (folder / GRAPH).exists():
        return onnx_files().open_onnx_file(folder / GRAPH)
    return load_skops(folder / PIPELINE, extra_trusted=trusted_types)
