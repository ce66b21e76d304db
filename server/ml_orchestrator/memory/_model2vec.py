"""A static embedding model of ``model2vec`` in a folder of this machine; nothing is downloaded."""

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from model2vec import StaticModel

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.memory._vectors import Embedder, Vectors

__all__ = ["open_embedder"]

WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
BATCH = 256
_log = logging.getLogger(__name__)


class _Static:
    """An ``Embedder`` on a ``StaticModel``, for one thread at a time."""

    def __init__(self, model: StaticModel, digest: str) -> None:
        self._model = model
        self._turn = threading.Lock()  # encoding sets the tokenizer's limits: model2vec 0.10
        self.digest = digest

    def encode(self, texts: Sequence[str]) -> Vectors:
        with self._turn:
            found = self._model.encode(list(texts), batch_size=BATCH, use_multiprocessing=False)
        vectors = np.asarray(found, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        zeros = np.zeros_like(vectors)
        unit: Vectors = np.divide(vectors, lengths, out=zeros, where=lengths > 0)
        return unit


def open_embedder(folder: Path) -> Embedder:
    """Read the model in ``folder``.

    Raises:
        UnavailableError: there is no model that ``model2vec`` can read.
    """
    if missing := [n for n in (WEIGHTS, TOKENIZER, CONFIG) if not (folder / n).is_file()]:
        raise UnavailableError(
            f"ML_ORCHESTRATOR_MEMORY_EMBEDDINGS names {str(folder)!r}, which has no "
            f"{', '.join(missing)}. Name a folder in which model2vec saved a model "
            "(StaticModel.save_pretrained), or unset it to search by words alone."
        )
    try:  # a path that is there is never looked for on the network: model2vec 0.10
        model = StaticModel.from_pretrained(folder)
    except Exception as error:  # its parts raise plain Exception (tokenizers) and others
        _log.warning("model2vec could not read %s", folder, exc_info=True)
        raise UnavailableError(
            f"ML_ORCHESTRATOR_MEMORY_EMBEDDINGS names {str(folder)!r}, where model2vec cannot read "
            f"the model: {error}. Save it anew, or unset it to search by words alone."
        ) from error
    return _Static(model, _digest(folder))


def _digest(folder: Path) -> str:
    """Return what tells this model from others: another one has other vectors."""
    parts = []
    for name in (WEIGHTS, TOKENIZER, CONFIG):
        with (folder / name).open("rb") as file:
            parts.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
