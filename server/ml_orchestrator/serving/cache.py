"""A few verified models kept in memory, so that a prediction does not load one each time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ml_orchestrator.serving.loader import LoadedModel, load_model
from ml_orchestrator.serving.opening import Copy
from ml_orchestrator.serving.shortcut import find_shortcut
from ml_orchestrator.serving.warming import example_tables

__all__ = ["HeldModel", "ModelCache"]

MAX_MODELS = 4
MAX_BYTES = 200_000_000  # of model files; in memory a model takes a few times as much
Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A loaded model, what its bytes were checked against and how large its file was."""

    model: LoadedModel
    manifest_digest: str
    size_bytes: int


class ModelCache:
    """Verified models by name, version and manifest digest; the least used one goes first.

    A version whose manifest is another by now has another key, so it is verified again. What
    happens to the files of a version later on does not matter: what is held was verified when
    it was read, and is never read again. Thread-safe; a version asked for twice at once is
    loaded once.

    Args of the constructor:
        extra_trusted: Types of ours that a saved pipeline may hold.
        max_models: Most models held.
        max_bytes: Most bytes their files may have together; a larger one is used and not held.
    """

    def __init__(
        self,
        extra_trusted: Sequence[str],
        *,
        max_models: int = MAX_MODELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._extra_trusted = tuple(extra_trusted)
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[Key, HeldModel] = OrderedDict()

    def get(
        self,
        model: str,
        version: int,
        digest: str | None,
        checkout: Callable[[], AbstractContextManager[Copy]],
    ) -> HeldModel:
        """Return a version as it is registered now, verified and loaded if it is not held.

        Args:
            model: Name of the registered model.
            version: Its number.
            digest: The manifest digest in the registry; None verifies it anew, which tells why.
            checkout: Gives a verified copy of the version.

        Raises:
            IntegrityViolationError: it is not what was registered, or unsafe to load.
        """
        with self._lock:
            key = (model, version, digest or "")
            if digest is not None and key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            held = self._load(checkout)
            self._hold((model, version, held.manifest_digest), held)
            return held

    def describe(self) -> str:
        """Return how many models are held, in a line for people."""
        with self._lock:
            size_mb = self._size_bytes() / 1e6
            return f"{len(self._held)} of at most {self._max_models} models held, {size_mb:.1f} MB"

    def _load(self, checkout: Callable[[], AbstractContextManager[Copy]]) -> HeldModel:
        with checkout() as copy:
            path = copy.directory / copy.description.model_file
            model = load_model(
                path,
                signature_inputs=copy.description.signature_inputs,
                signature_outputs=copy.description.signature_outputs,
                extra_trusted=self._extra_trusted,
                serialization=copy.description.serialization,
            )
            short = find_shortcut(model, example_tables(copy.directory, model.columns))
            model = replace(model, short=short)
            return HeldModel(model, copy.manifest_digest, path.stat().st_size)

    def _hold(self, key: Key, held: HeldModel) -> None:
        if held.size_bytes > self._max_bytes:
            return
        self._held[key] = held
        while len(self._held) > self._max_models or self._size_bytes() > self._max_bytes:
            self._held.popitem(last=False)

    def _size_bytes(self) -> int:
        return sum(held.size_bytes for held in self._held.values())
