"""What is set aside for the end of a training follows what was measured."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.training.budget import PICTURES_S, Budget
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.study import FinishedTrial
from ml_orchestrator.training.table import prepare_table

SHUFFLES_S = 5 * 5 * 0.006  # of one pipeline: five columns, five times each


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def trial(seconds: float, score: float, family: str = "linear") -> FinishedTrial:
    params: Params = {"trainer": family, f"{family}.penalty": score}
    return FinishedTrial(0, "complete", params, (score,) * 3, seconds, "")


@pytest.fixture
def clocks() -> tuple[Clock, Clock]:
    """The wall's and the process's."""
    return Clock(), Clock()


@pytest.fixture
def budget(tmp_path: Path, clocks: tuple[Clock, Clock]) -> Budget:
    return made(tmp_path, clocks, refines=True)


def made(folder: Path, clocks: tuple[Clock, Clock], *, refines: bool) -> Budget:
    spec = TrainingSpec(source="t.csv", n_folds=3, timeout_s=100)
    table = prepare_table(spec, dataset_of(mixed_table()))
    split = plan_split(spec, table)
    files = AnswerFiles(folder, higher_is_better=True)
    wall, work = clocks
    return Budget(
        100.0, table, split, files, refines=refines, began_at=0.0, clock=wall, work_clock=work
    )


def test_the_last_fit_of_the_best_is_set_aside(budget: Budget) -> None:
    assert budget.reserve_s([]) == 0
    short, long = (budget.reserve_s([trial(seconds, 0.9)]) for seconds in (3.0, 30.0))

    # A fold of 10 s was fitted on two thirds of the rows: all of them take 15 s, and a fifth more.
    assert long - short == pytest.approx(1.2 * (15.0 - 1.5))
    worse = budget.reserve_s([trial(3.0, 0.9), trial(12.0, 0.5)])
    assert worse - short == pytest.approx(1.2 * 6.0 + SHUFFLES_S)


def test_shuffling_is_set_aside_for_as_many_as_may_answer_together(
    tmp_path: Path, clocks: tuple[Clock, Clock]
) -> None:
    trials = [trial(0.0, 0.9 - n / 100, family) for family in "abcd" for n in range(2)]
    several, single = (made(tmp_path, clocks, refines=refines) for refines in (True, False))

    reserves = [several.reserve_s(trials[:n]) for n in range(1, 8)]
    alone = [single.reserve_s(trials[:n]) for n in (1, 5)]

    assert np.diff(reserves) == pytest.approx([SHUFFLES_S] * 4 + [0.0] * 2)
    assert alone[0] == alone[1]


def test_no_more_than_half_of_the_time_is_set_aside(budget: Budget) -> None:
    assert budget.reserve_s([trial(3_000.0, 0.9)]) == 50.0


def test_an_average_is_made_of_what_there_is_time_to_fit(
    budget: Budget, clocks: tuple[Clock, Clock]
) -> None:
    trials = [trial(20.0, 0.9), trial(20.0, 0.8), trial(60.0, 0.7)]  # 12, 12 and 36 s

    assert sum(budget.shares(trials)) < 1
    clocks[0].now_s = clocks[1].now_s = 70.0
    best, other, longer = budget.shares(trials)
    assert best + other < 1 < best + longer
    assert longer == pytest.approx(3 * other)
    clocks[0].now_s = clocks[1].now_s = 99.9
    assert budget.shares(trials) == [float("inf")] * 3


def test_the_end_is_hurried_if_the_trials_left_too_little_or_an_earlier_process_used_it(
    budget: Budget, clocks: tuple[Clock, Clock]
) -> None:
    trials = [trial(20.0, score) for score in (0.9, 0.8, 0.7)]  # the best two take 24 s
    trials.append(trial(20.0, 0.6, "forest"))  # and with this one 36 s

    assert budget.is_ample(trials)
    budget.count_earlier(45.0)
    assert budget.left_s == 55.0
    assert budget.is_ample(trials)
    clocks[0].now_s = clocks[1].now_s = 20.0
    assert not budget.is_ample(trials)


def test_an_average_may_take_the_time_of_importances(
    budget: Budget, clocks: tuple[Clock, Clock]
) -> None:
    members = [trial(5.0, 0.9 - n / 100, family) for n, family in enumerate("abcde")]  # 3 s each
    set_aside_s = budget.reserve_s(members)
    clocks[0].now_s = clocks[1].now_s = 100.0 - set_aside_s - 1.5

    # Shuffling was set aside for 3.75 s; of 2 s each of them and the average can have its part.
    shares = budget.shares(members)
    assert shares[0] == pytest.approx(3.0 / (set_aside_s + 1.5 - 1.0 - 2.0))


def test_waiting_for_a_processor_is_no_work(budget: Budget) -> None:
    # Clocks that stand still: the metrics' own work takes none of their time, however long it was.
    assert budget.reserve_s([trial(0.0, 0.9)]) == pytest.approx(PICTURES_S + SHUFFLES_S)


def test_a_busy_machine_is_given_more_time(budget: Budget, clocks: tuple[Clock, Clock]) -> None:
    idle = budget.reserve_s([trial(0.0, 0.9)])
    clocks[0].now_s, clocks[1].now_s = 20.0, 5.0

    assert budget.reserve_s([trial(0.0, 0.9)]) == pytest.approx(4 * idle)
    assert budget.left_s == 80.0
