"""``ServingControl`` where no server runs: nothing is loaded, nothing answers."""

from typing import NoReturn

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.serving.control import ServingState, SlotStats, Traffic

__all__ = ["NoServer"]


class NoServer:
    """Says that nothing answers, and can change nothing.

    Every method but ``state`` and ``stats`` raises UnavailableError.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def state(self) -> ServingState:
        """Return that nothing is loaded."""
        return ServingState(
            model=self._model, generation=0, blue=None, green=None, traffic=Traffic()
        )

    def stats(self, *, window_s: float) -> tuple[SlotStats, ...]:
        """Return nothing."""
        return ()

    def load_green(self, version: int) -> NoReturn:
        """Raise UnavailableError."""
        raise self._absent()

    def set_traffic(self, traffic: Traffic, *, expected_generation: int) -> NoReturn:
        """Raise UnavailableError."""
        raise self._absent()

    def swap(self, *, expected_generation: int) -> NoReturn:
        """Raise UnavailableError."""
        raise self._absent()

    def unload_green(self, *, expected_generation: int) -> NoReturn:
        """Raise UnavailableError."""
        raise self._absent()

    def retire(self, *, expected_generation: int) -> NoReturn:
        """Raise UnavailableError."""
        raise self._absent()

    def _absent(self) -> UnavailableError:
        return UnavailableError(f"No server of {self._model!r} runs.")
