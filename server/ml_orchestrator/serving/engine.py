"""What answers for one loaded version, in this process or in one of its own."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.models import Prediction

__all__ = ["Done", "Engine", "Outcome", "Request", "ask"]


@dataclass(frozen=True, slots=True)
class Request:
    """The body of one ``/invocations`` call, as it came.

    ``asks`` is for predictions, or, of whoever keeps the log, for the chances of the classes
    (`chances`); those are computed after all answers that wait with them.
    """

    content_type: str
    body: bytes
    asks: Literal["answers", "chances"] = "answers"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one request: HTTP status, JSON body, and what was predicted.

    ``cause`` is what the model raised. It may repeat values, so only an operator sees it.
    """

    status: int
    body: bytes
    predictions: tuple[Prediction, ...] = ()
    n_rows: int = 0
    cause: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the version, and not its caller, is to blame."""
        return self.status >= 500


Done = Callable[[Outcome], None]


class Engine(Protocol):
    """One loaded version. Thread-safe.

    Every submitted request is answered exactly once, by ``done`` in a thread of the engine.
    """

    def submit(self, request: Request, done: Done) -> None:
        """Take a request; it is answered in its turn."""
        ...

    def fault(self) -> str | None:
        """Return why it cannot answer now; None if it can."""
        ...

    def close(self) -> None:
        """Answer what was taken, then let the model go. Blocks; done twice, it does nothing."""
        ...


def ask(engine: Engine, request: Request, *, timeout_s: float) -> Outcome:
    """Wait for the answer to one request.

    Raises:
        UnavailableError: there is none after ``timeout_s`` seconds.
    """
    answered: Future[Outcome] = Future()
    engine.submit(request, answered.set_result)
    try:
        return answered.result(timeout=timeout_s)
    except TimeoutError:
        raise UnavailableError(f"The model did not answer within {timeout_s:g} s.") from None
