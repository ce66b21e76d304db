from collections.abc import Callable
from pathlib import Path

from tests.registry.flowers import ask, make_desk, mlflow_uri
from tests.registry.forked import alias_of

from ml_orchestrator.registry._mlflow import MlflowRegistry
from ml_orchestrator.registry.desk import RegistryDesk

# Where a process dies in a move from version 1 to 2: the live version, and how it is recorded.
CRASHES = {
    "after:begin": (1, "abandoned"),
    "before:move_alias": (1, "abandoned"),
    "after:move_alias": (2, "applied"),
    "before:settle": (2, "applied"),
    "after:settle": (2, "applied"),
}


def test_after_kill_9_the_history_ends_where_the_alias_points(
    desk: RegistryDesk, home: Path, run_forked: Callable[..., None]
) -> None:
    for point in CRASHES:
        desk.mover.move(ask(1, None, alias=alias_of(point)))
    run_forked("crash", home, *CRASHES)

    survivor = make_desk(home)
    survivor.mover.reconcile()

    for point, (live, state) in CRASHES.items():
        last = survivor.mover.history("iris", alias_of(point), limit=10).moves[0]
        assert (last.from_version, last.to_version, last.state) == (1, 2, state)
        assert survivor.store.alias_version("iris", alias_of(point)) == live


def test_after_kill_9_a_retry_with_its_key_moves_once(
    desk: RegistryDesk, home: Path, run_forked: Callable[..., None]
) -> None:
    for point in CRASHES:
        desk.mover.move(ask(1, None, alias=alias_of(point)))
    run_forked("crash", home, *CRASHES)

    survivor = make_desk(home)  # nobody reconciles first: the retry itself must cope
    for point in CRASHES:
        alias = alias_of(point)
        survivor.mover.move(ask(2, 1, alias=alias, idempotency_key=point))
        moves = survivor.mover.history("iris", alias, limit=10).moves
        applied = [(m.from_version, m.to_version) for m in moves if m.state == "applied"]
        assert applied == [(1, 2), (None, 1)]
        assert survivor.store.alias_version("iris", alias) == 2


def test_four_processes_open_one_fresh_directory_and_all_work(
    tmp_path: Path, run_forked: Callable[..., None]
) -> None:
    home = tmp_path / "fresh"
    run_forked("open", home)

    registry = MlflowRegistry(mlflow_uri(home), mlflow_uri(home), home)
    assert registry.models(limit=5, cursor=None) == ((), None)
    assert len(list((home / "mlartifacts").rglob("model.skops"))) == 4
