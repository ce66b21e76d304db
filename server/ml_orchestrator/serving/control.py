"""What a model server lets its operator do: two slots, one pointer, and what each slot saw."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from ml_orchestrator.records import Record
from ml_orchestrator.serving.models import Prediction

__all__ = ["LoadedSlot", "ServingControl", "ServingState", "SlotStats", "Traffic"]

Share = Annotated[float, Field(ge=0, le=1)]


class Traffic(Record):
    """Who answers.

    single: the blue slot; canary: green answers ``green_share`` of the requests; shadow: blue
    answers, and green gets a copy of ``green_share`` of the requests off the reply path.
    """

    mode: Literal["single", "canary", "shadow"] = "single"
    green_share: Share = 0.0


class ServingState(Record):
    """Which versions are loaded and who answers; ``generation`` grows with each change."""

    model: str
    generation: Annotated[int, Field(ge=0)]
    blue: Annotated[int | None, Field(description="Version that answers; null if none does.")]
    green: Annotated[int | None, Field(description="Version loaded beside it; null if none.")]
    traffic: Traffic


class LoadedSlot(Record):
    """A version that was verified, loaded and warmed."""

    version: int
    load_ms: float
    warm_ms: float
    generation: int


class SlotStats(Record):
    """What one version answered within the last ``window_s`` seconds."""

    version: int
    window_s: float
    n_requests: int
    n_errors: Annotated[int, Field(description="Answers 5xx; bad requests are not counted.")]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    predictions: Annotated[
        tuple[Prediction, ...], Field(description="A uniform sample of what it answered.")
    ]
    fault: Annotated[str | None, Field(description="Why it cannot answer now; null if it can.")] = (
        None
    )


class ServingControl(Protocol):
    """One running model server. Changes happen one at a time and whole.

    A change names the ``generation`` its caller has seen; a repeated change whose effect is
    there already succeeds, so a caller that died in between may simply ask again.

    Every method raises ``UnavailableError`` if the server cannot be reached.
    """

    def state(self) -> ServingState:
        """Return what is loaded and who answers."""
        ...

    def load_green(self, version: int) -> LoadedSlot:
        """Verify ``version``, load it beside the blue one and warm it; traffic stays as it is.

        Raises:
            IntegrityViolationError: it is not what was registered, or unsafe to load.
            NotFoundError: there is no such version.
        """
        ...

    def set_traffic(self, traffic: Traffic, *, expected_generation: int) -> ServingState:
        """Change who answers, between two requests.

        Raises:
            ConflictError: the generation is another one; the message names it.
            InvalidInputError: green traffic is asked for and no green version is loaded.
        """
        ...

    def swap(self, *, expected_generation: int) -> ServingState:
        """Make green blue and blue green, traffic single; the old version stays loaded.

        Doing it again is the rollback.

        Raises:
            ConflictError: the generation is another one.
            InvalidInputError: no green version is loaded.
        """
        ...

    def unload_green(self, *, expected_generation: int) -> ServingState:
        """Let green go once its last request is answered; blue answers everything."""
        ...

    def retire(self, *, expected_generation: int) -> ServingState:
        """Let blue go once its last request is answered; nothing answers until a swap.

        Raises:
            ConflictError: the generation is another one.
        """
        ...

    def stats(self, *, window_s: float) -> tuple[SlotStats, ...]:
        """Return what each loaded version answered lately, blue first."""
        ...
