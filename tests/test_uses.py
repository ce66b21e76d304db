"""A call that fails counts for the part that failed, and for no other."""

import pytest

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.errors import NotFoundError, UnavailableError
from ml_orchestrator.uses import counted_use, note_use


class Store:
    """A part that fails as it is told to."""

    def __init__(self) -> None:
        self.breaker = Breaker(limit=2, clock=lambda: 0.0)

    def read(self, fault: Exception | None = None) -> None:
        if fault is not None:
            raise fault


class Engine:
    """A part that uses a store."""

    def __init__(self, store: Store) -> None:
        self.breaker = Breaker(limit=2, clock=lambda: 0.0)
        self._store = store

    def work(self, fault: Exception | None = None, *, of_store: Exception | None = None) -> None:
        note_use(self._store, self._store.breaker)
        self._store.read(of_store)
        if fault is not None:
            raise fault


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def engine(store: Store) -> Engine:
    return Engine(store)


def use(
    engine: Engine, fault: Exception | None = None, *, of_store: Exception | None = None
) -> None:
    with counted_use():
        note_use(engine, engine.breaker)
        engine.work(fault, of_store=of_store)


def failing(engine: Engine, *faults: Exception, of_store: bool = False) -> None:
    for fault in faults:
        with pytest.raises(type(fault)):
            use(engine, None if of_store else fault, of_store=fault if of_store else None)


def test_the_innermost_part_is_the_one_that_failed(engine: Engine, store: Store) -> None:
    failing(engine, KeyError("x"), of_store=True)
    assert (engine.breaker.n_failures, store.breaker.n_failures) == (0, 1)
    failing(engine, KeyError("x"))
    assert engine.breaker.look().last_error == "KeyError; the log has the traceback"


def test_so_many_in_a_row_open_its_breaker_alone(engine: Engine, store: Store) -> None:
    failing(engine, KeyError("x"), ValueError("y"))
    assert (engine.breaker.look().state, store.breaker.look().state) == ("open", "closed")


def test_an_answer_that_is_meant_ends_the_row(engine: Engine) -> None:
    failing(engine, KeyError("x"))
    use(engine)
    assert engine.breaker.n_failures == 0
    failing(engine, KeyError("x"), NotFoundError("There is no such thing."))
    assert engine.breaker.n_failures == 0


def test_what_cannot_be_reached_says_nothing_of_the_part(engine: Engine) -> None:
    failing(engine, KeyError("x"), UnavailableError("The database is locked."))
    assert engine.breaker.n_failures == 1


def test_what_somebody_else_counted_meanwhile_stands(engine: Engine) -> None:
    failing(engine, KeyError("x"))
    with counted_use():
        note_use(engine, engine.breaker)
        engine.breaker.failed("A probe of it failed.")
    assert engine.breaker.n_failures == 2


def test_outside_of_a_call_nothing_is_counted(engine: Engine) -> None:
    note_use(engine, engine.breaker)
    with pytest.raises(KeyError):
        engine.work(KeyError("x"))
    assert engine.breaker.n_failures == 0
