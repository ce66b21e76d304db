"""A trained model on its way from the search to the registry, in the folder of its run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io

from ml_orchestrator.modelfiles.skops_file import load_skops
from ml_orchestrator.training.models import TrainingSummary
from ml_orchestrator.training.search import TrainedModel

__all__ = ["SavedModel", "load_trained", "save_trained"]

PIPELINE, EXAMPLE, ABOUT, PLOTS = "pipeline.skops", "example.parquet", "about.json", "plots"
CARD = "model_card.md"


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What the registry needs of a trained model; plots are PNG by name, the card is Markdown."""

    pipeline: Any
    summary: TrainingSummary
    input_example: pd.DataFrame
    plots: dict[str, bytes]
    pip_requirements: tuple[str, ...]
    card: str


def save_trained(folder: Path, trained: TrainedModel) -> None:
    """Write a trained model into ``folder``, over what an earlier attempt left."""
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


def load_trained(folder: Path, trusted_types: Sequence[str]) -> SavedModel:
    """Read what ``save_trained`` wrote; its pipeline may hold these types besides skops's own.

    Raises:
        IntegrityViolationError: it holds a type that is not trusted.
    """
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return SavedModel(
        pipeline=load_skops(folder / PIPELINE, extra_trusted=trusted_types),
        summary=TrainingSummary.model_validate(about["summary"]),
        input_example=pd.read_parquet(folder / EXAMPLE),
        plots={path.stem: path.read_bytes() for path in sorted((folder / PLOTS).glob("*.png"))},
        pip_requirements=tuple(about["pip_requirements"]),
        card=(folder / CARD).read_text(encoding="utf-8"),
    )
