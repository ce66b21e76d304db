"""Small models behind the doors that serving uses, without a registry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.dummy import DummyRegressor

from ml_orchestrator.errors import IntegrityViolationError, NotFoundError
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.loader import Serialization
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.slots import ModelSlots

INPUTS = json.dumps([{"type": "double", "name": "x", "required": True}])
TAMPERED = 99  # the version that does not verify
ASK = Request("application/json", b'{"inputs": {"x": [1.0]}}')


@dataclass(frozen=True)
class Description:
    model_file: str
    signature_inputs: str
    serialization: Serialization = "skops"
    signature_outputs: str | None = None


@dataclass(frozen=True)
class Copy:
    directory: Path
    description: Description
    manifest_digest: str


class Shelf:
    """Versions 1 to 9 of a model that answers with its own number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def checkout(self, version: int) -> Iterator[Copy]:
        if version == TAMPERED:
            raise IntegrityViolationError(f"Version {version} of 'model' was not loaded.")
        if not 1 <= version <= 9:
            raise NotFoundError(f"No version {version} of 'model'.")
        path = self._folder / f"{version}.skops"
        model = DummyRegressor(strategy="constant", constant=float(version))
        skops.io.dump(model.fit(np.zeros((2, 1)), [0.0, 0.0]), path)
        yield Copy(self._folder, Description(path.name, INPUTS), f"digest-{version}")


def make_slots(folder: Path, **given: Any) -> ModelSlots:
    """Return slots with version 1 answering."""
    slots = ModelSlots("model", in_process(Shelf(folder).checkout), **given)
    slots.start(1)
    return slots


def predicted(slots: ModelSlots) -> float:
    """Return what the version whose turn it is answers: its own number."""
    outcome = slots.answer(ASK)
    assert outcome.status == 200, outcome.body
    answer: float = json.loads(outcome.body)["predictions"][0]
    return answer
