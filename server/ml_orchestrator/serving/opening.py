"""Opening a version: verified private copy, loaded, warmed, ready to answer."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.engine import Engine, Request, ask
from ml_orchestrator.serving.loader import Serialization, load_model
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.slot import Opened
from ml_orchestrator.serving.threaded import MAX_BATCH, ThreadEngine
from ml_orchestrator.serving.warming import warm_up_requests

__all__ = ["Checkout", "Copy", "Description", "in_process", "warmed"]

WARM_UP_S = 60.0


class Description(Protocol):
    """What a strict reading of MLmodel found."""

    @property
    def model_file(self) -> str:
        """Name of the model's file."""

    @property
    def signature_inputs(self) -> str:
        """The input columns as MLflow's signature writes them."""

    @property
    def signature_outputs(self) -> str | None:
        """What the signature says of its answers; None if it says nothing."""

    @property
    def serialization(self) -> Serialization:
        """How it was written."""


class Copy(Protocol):
    """A verified private copy of a version (``registry.verification.VerifiedCopy``)."""

    @property
    def directory(self) -> Path:
        """Where its files are."""

    @property
    def description(self) -> Description:
        """What it says about itself."""

    @property
    def manifest_digest(self) -> str:
        """What its bytes were checked against."""


# Gives a verified copy of a version of the server's model, removed again at the end.
Checkout = Callable[[int], AbstractContextManager[Copy]]


def in_process(
    checkout: Checkout, *, extra_trusted: Sequence[str] = (), max_batch: int = MAX_BATCH
) -> Callable[[int], Opened]:
    """Return what opens a version in a thread of this process.

    Args:
        checkout: Gives a verified copy of a version.
        extra_trusted: Types of ours that a saved pipeline may hold.
        max_batch: Most requests that are answered in one go; 1 answers each alone.
    """

    def open_version(version: int) -> Opened:
        began = time.perf_counter()
        with checkout(version) as copy:
            description = copy.description
            model = load_model(
                copy.directory / description.model_file,
                signature_inputs=description.signature_inputs,
                signature_outputs=description.signature_outputs,
                extra_trusted=extra_trusted,
                serialization=description.serialization,
            )
            requests = warm_up_requests(copy.directory, model.columns)
        engine = ThreadEngine(
            model, name=f"model-{version}", examples=requests, max_batch=max_batch
        )
        load_s = time.perf_counter() - began
        return warmed(engine, requests, version=version, load_s=load_s, columns=model.columns)

    return open_version


def warmed(
    engine: Engine,
    requests: Sequence[Request],
    *,
    version: int,
    load_s: float,
    columns: Sequence[Column] = (),
) -> Opened:
    """Let the engine answer once, for which the first caller would else have to wait.

    An example that its own signature refuses proves nothing; the next request is tried. The last
    is a made-up row.

    Raises:
        UnavailableError: it fails at an example.
    """
    began, example, refused = time.perf_counter(), b"", ""
    for request in requests:
        outcome = ask(engine, request, timeout_s=WARM_UP_S)
        said = (outcome.cause or outcome.body.decode(errors="replace"))[:300]
        if outcome.is_error:
            engine.close()
            which = "a made-up row" if request is requests[-1] else "its example"
            raise UnavailableError(
                f"Version {version} loads but fails at {which}: {said} {refused}Log the model "
                "again with an input example that it answers, null where a value is missing, and "
                "register that."
            )
        if outcome.status == 200:
            example = request.body
            break
        refused = f"Before that, its example was refused: {said} "
    warm_s = time.perf_counter() - began
    return Opened(
        engine,
        load_ms=load_s * 1e3,
        warm_ms=warm_s * 1e3,
        example=example,
        columns=tuple(columns),
    )
