"""How each part of a server shows that it works, in a line; it raises if it does not."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ml_orchestrator.doors import import_alone

if TYPE_CHECKING:
    from ml_orchestrator.messaging.leases import LeaseBook
    from ml_orchestrator.orchestration.inspection import DataInspector
    from ml_orchestrator.orchestration.prompt_improvement import PromptImprover
    from ml_orchestrator.registry.approvals import Approvals

__all__ = [
    "built_in",
    "call",
    "close",
    "describe",
    "engine_probe",
    "improves",
    "live_leases",
    "waiting",
]

PROBED_PROMPT = "Summarise the text below, if possible, in a few words or so, please.\n{text}"


class _Describing(Protocol):
    def describe(self) -> str: ...


class _Closing(Protocol):
    def close(self) -> None: ...


def describe(part: _Describing) -> str:
    """Let a part tell how it is."""
    return part.describe()


def close(part: _Closing) -> None:
    """Let a part give back what it holds."""
    part.close()


def call(probe: Callable[[], str]) -> str:
    """Return what a part says that is a probe itself."""
    return probe()


def engine_probe(name: str) -> Callable[[object], str]:
    """Return a probe of `ml_orchestrator.orchestration.engine_probes`, imported when it is used."""

    def probe(part: object) -> str:
        probes = import_alone("ml_orchestrator.orchestration.engine_probes")
        said: str = getattr(probes, name)(part)
        return said

    return probe


def live_leases(book: "LeaseBook") -> str:
    """Count the leases that somebody holds."""
    return f"{len(book.live().leases)} live leases"


def waiting(approvals: "Approvals") -> str:
    """Count what waits for a person."""
    return f"{len(approvals.pending())} approvals wait for a person"


def built_in(inspector: "DataInspector") -> str:
    """Count the data sets that ship."""
    return f"{len(inspector.builtin_sources())} built-in data sets"


def improves(improve: "PromptImprover") -> str:
    """Have a prompt improved that needs it."""
    improved = improve(PROBED_PROMPT)
    if not improved.applied:
        raise ArithmeticError("no rule finds what is wrong with a prompt that is wrong")
    return f"{len(improved.applied)} rules apply to a prompt that needs them"
