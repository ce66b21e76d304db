"""What a model says while it learns: its loss after each epoch, to whoever listens.

A search listens while it scores a trial, so that a hopeless one need not end its fold. The model
lies inside a pipeline that knows nothing of it, hence a variable of the context and no argument.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Hear", "hearing", "tell_epoch"]

Hear = Callable[[float], None]
"""Is told a loss, lower is better; what it raises ends the learning."""

_hear: ContextVar[Hear | None] = ContextVar("hear_epochs", default=None)


def tell_epoch(loss: float) -> None:
    """Say what the loss on rows held back is after one more epoch; nothing if nobody listens."""
    hear = _hear.get()
    if hear is not None:
        hear(loss)


@contextmanager
def hearing(hear: Hear) -> Iterator[None]:
    """Listen to what is learnt in this context for a while."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)
