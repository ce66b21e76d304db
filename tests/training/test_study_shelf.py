"""A search kept in a database goes on in another folder, as in the one where it began."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import ConflictError, UnavailableError
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.training._optuna import run_study
from ml_orchestrator.training.models import TrainingSpec, TrainingSummary
from ml_orchestrator.training.search import train
from ml_orchestrator.training.shelf import StudyShelf, forget_files, forget_studies
from ml_orchestrator.training.space import Params, ParamSpace
from ml_orchestrator.training.study import Objective, StudyPlan, StudyResult


class CutOffError(Exception):
    """Ends a search from within."""


def suggest(space: ParamSpace) -> Params:
    return {"x": space.real("x", -5, 5)}


def bowl(params: Params) -> Iterator[float]:
    yield (float(params["x"]) - 2) ** 2


def search(folder: Path, shelf: StudyShelf | None, n_trials: int) -> StudyResult:
    plan = StudyPlan(
        directory=folder,
        fingerprint="toy",
        higher_is_better=False,
        n_trials=n_trials,
        timeout_s=1e6,
        seed=0,
        shelf=shelf,
    )
    return run_study(plan, Objective(suggest, bowl), on_progress=lambda _: None)


def test_a_search_goes_on_in_another_folder_as_if_nothing_had_been(
    database: Database, tmp_path: Path
) -> None:
    begun = search(tmp_path / "a", StudyShelf(database, "run-1"), 7)
    ended = search(tmp_path / "b", StudyShelf(database, "run-1"), 15)
    whole = search(tmp_path / "c", None, 15)

    assert ended.trials[:7] == begun.trials
    assert [trial.params for trial in ended.trials] == [trial.params for trial in whole.trials]
    assert not (tmp_path / "a" / "study.journal").exists()


def test_searches_of_other_runs_and_places_are_apart_and_can_be_forgotten(
    database: Database, tmp_path: Path
) -> None:
    search(tmp_path / "a", StudyShelf(database, "run-1"), 3)
    search(tmp_path / "b", StudyShelf(database, "run-1", "two"), 4)
    search(tmp_path / "c", StudyShelf(database, "run-2"), 5)
    forget_studies(database, ["run-1"])

    assert StudyShelf(database, "run-1").is_new
    assert StudyShelf(database, "run-1", "two").is_new
    assert len(search(tmp_path / "d", StudyShelf(database, "run-2"), 5).trials) == 5


def test_a_process_whose_search_was_taken_over_can_add_nothing_more(
    database: Database, tmp_path: Path
) -> None:
    before = StudyShelf(database, "run-1")
    search(tmp_path / "a", before, 3)
    after = StudyShelf(database, "run-1")
    with pytest.raises(ConflictError, match="Another process goes on with the search of run run-1"):
        search(tmp_path / "a", before, 4)
    assert len(search(tmp_path / "b", after, 5).trials) == 5


def test_what_a_folder_has_is_taken_over_once(database: Database, tmp_path: Path) -> None:
    begun = search(tmp_path / "a", None, 4)
    ended = search(tmp_path / "a", StudyShelf(database, "run-1"), 6)
    assert ended.trials[:4] == begun.trials
    assert len(search(tmp_path / "b", StudyShelf(database, "run-1"), 6).trials) == 6


def test_while_the_database_is_away_the_search_goes_on_and_is_kept_later(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    shelf = StudyShelf(opened, "run-1")
    shelf.append_logs([{"op_code": 0}])
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE study_lines RENAME TO lines_away")
        connection.commit()
    shelf.flush()
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE lines_away RENAME TO study_lines")
        connection.commit()
    shelf.append_logs([{"op_code": 1}])
    shelf.flush()

    assert StudyShelf(opened, "run-1").read_logs(0) == [{"op_code": 0}, {"op_code": 1}]
    opened.close()


def test_what_was_written_though_the_word_of_it_was_lost_is_no_conflict(
    database: Database,
) -> None:
    shelf = StudyShelf(database, "run-1")
    shelf.append_logs([{"op_code": 0}])
    write, has_failed = database.write, []

    def write_and_lose_the_word(work: Callable[[Connection], Any]) -> Any:
        write(work)
        has_failed.append(True)
        raise UnavailableError("the connection was lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write", write_and_lose_the_word)
        shelf.flush()
    shelf.append_logs([{"op_code": 1}])
    shelf.flush()

    assert has_failed
    assert StudyShelf(database, "run-1").read_logs(0) == [{"op_code": 0}, {"op_code": 1}]


def test_a_training_goes_on_elsewhere_to_the_same_model(database: Database, tmp_path: Path) -> None:
    spec = TrainingSpec(source="t.csv", trainers=("linear", "forest"), n_trials=8, n_folds=3)
    dataset = dataset_of(mixed_table())

    def trained(folder: Path, shelf: StudyShelf | None, n_most: int = 99) -> TrainingSummary:
        def report(fraction: float, message: str, numbers: object) -> None:
            if isinstance(numbers, dict) and numbers.get("n_finished", 0) >= n_most:
                raise CutOffError

        made = train(spec, dataset, study_dir=folder, report=report, shelf=shelf)
        return made.summary.model_copy(update={"seconds": 0.0})

    with pytest.raises(CutOffError):
        trained(tmp_path / "a", StudyShelf(database, "run-1"), 5)
    elsewhere = trained(tmp_path / "b", StudyShelf(database, "run-1"))
    undisturbed = trained(tmp_path / "c", None)

    assert elsewhere == undisturbed
    names = {path.name for path in (tmp_path / "a" / "out_of_fold").iterdir()}
    assert names <= {path.name for path in (tmp_path / "b" / "out_of_fold").iterdir()}
    forget_files(database, "run-1")
    StudyShelf(database, "run-1").restore(tmp_path / "d")
    assert not (tmp_path / "d").exists()
