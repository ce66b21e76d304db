"""One search of a generated table, and what rules lose on its held-out rows, kept in files.

A file holds one line of JSON for each search, written when it is done.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from _average_rules import ALONE, RULES, Searched, loss, mixes
from _average_tables import Drawn, drawn
from _kept import Book

from ml_orchestrator.datasets.kinds import normalise
from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.training.families import local
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.job import Job, prepare
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.out_of_fold import AnswerFiles, Answers, Timing
from ml_orchestrator.training.scoring import evaluate_on
from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import FinishedTrial, ranked
from ml_orchestrator.training.trials import run, set_up

__all__ = ["Compared", "ComparedBook", "Key", "compared"]

N_FOLDS = 5
LONG_S = 80_000  # trials are to end a search, not time


class Key(NamedTuple):
    """What was searched: the draw of a table, and with how many trials."""

    table: str
    seed: int
    n_trials: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one search, by rule; ``load`` is the machine's at the end.

    ``fit_ratio`` is the processor's time to fit the models of a rule beside that of the best.
    """

    losses: dict[str, float]
    n_models: dict[str, int]
    fit_ratio: dict[str, float]
    n_complete: int
    load: float
    done_at: str


class ComparedBook(Book[Key, Compared]):
    """All searches so far.

    Raises:
        ValueError: a file holds what other rules lost.
    """

    def _read(self, line: str) -> tuple[Key, Compared]:
        entry = json.loads(line)
        key = Key(*(entry.pop(name) for name in Key._fields))
        if list(entry["losses"]) != list(RULES):
            raise ValueError(
                f"The search of {key.table!r} was compared by other rules; search anew."
            )
        return key, Compared(**entry)

    def _written(self, key: Key, found: Compared) -> str:
        return json.dumps({**key._asdict(), **asdict(found)})


def compared(key: Key, folder: Path) -> Compared:
    """Search in an empty folder, and let every rule choose from the same trials."""
    return judged(searched(key, folder))


def judged(done: Searched) -> Compared:
    """Return what each rule loses on the held-out rows of a search."""
    chosen = mixes(done)
    wanted = {index for mix in chosen.values() for index in mix}
    fitted = {
        trial.index: _fitted(done.job, trial) for trial in done.ranked if trial.index in wanted
    }
    held_out = {index: given for index, (given, _) in fitted.items()}
    took_s = {rule: sum(fitted[index][1] for index in mix) for rule, mix in chosen.items()}
    return Compared(
        losses={rule: loss(done, mix, held_out) for rule, mix in chosen.items()},
        n_models={rule: len(mix) for rule, mix in chosen.items()},
        fit_ratio={rule: seconds / took_s[ALONE] for rule, seconds in took_s.items()},
        n_complete=len(done.ranked),
        load=os.getloadavg()[0],
        done_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def searched(key: Key, folder: Path) -> Searched:
    """Return a search as a training does it, with the answers of all of its trials."""
    job = job_of(key)
    search = set_up(job, folder / "study", recall=lambda _: (), began_at=time.monotonic())
    keeper = _KeepsAll(search.files)
    evaluate = evaluate_on(job.table, job.split, job.build, keeper)
    search = replace(search, objective=replace(search.objective, evaluate=evaluate))
    result = run(search, report=lambda *_: None, is_stopped=lambda: False)
    distinct: list[FinishedTrial] = []
    for trial in ranked(result.trials, higher_is_better=job.table.metric.higher_is_better):
        if all(trial.params != other.params for other in distinct):
            distinct.append(trial)
    answers = {trial.index: keeper.answers[_name(local(trial.params))] for trial in distinct}
    return Searched(job, result, search.files, distinct, answers)


def job_of(key: Key) -> Job:
    """Return the training on a draw of a table, its rows split as the draw says."""
    made = drawn(key.table, key.seed)
    spec = TrainingSpec.model_validate(
        {
            "source": key.table,
            "n_trials": key.n_trials,
            "timeout_s": LONG_S,
            "n_folds": N_FOLDS,
            "seed": key.seed,
            "horizon": 0,
            **made.more,
        }
    )
    # More than half of the rows held out is what nobody may ask for, and what is wanted here.
    share = 1 - made.n_train / made.frame.height
    return prepare(spec.model_copy(update={"test_fraction": share}), _dataset(key.table, made))


class _KeepsAll:
    """Keeps every answer in memory, and passes it on to the files of a training."""

    def __init__(self, files: AnswerFiles) -> None:
        self._files = files
        self.answers: dict[str, Answers] = {}

    def keep(
        self, params: Params, folds: Sequence[Predictions], *, score: float, timing: Timing
    ) -> None:
        self.answers[_name(params)] = Answers(tuple(folds))
        self._files.keep(params, folds, score=score, timing=timing)


def _name(params: Params) -> str:
    return json.dumps(params, sort_keys=True)


def _fitted(job: Job, trial: FinishedTrial) -> tuple[Answers, float]:
    """Return what a trial's model says of the held-out rows, and how long it took to fit, in s."""
    rows = job.split.test
    began_at = time.process_time()
    model = fit(job.build(local(trial.params)), job.table, job.split.train)
    took_s = time.process_time() - began_at
    return Answers((predict(model, job.table.features.iloc[rows], job.table, rows),)), took_s


def _dataset(name: str, made: Drawn) -> Dataset:
    rows = normalise(made.frame)
    return Dataset(name, rows, hashlib.sha256(rows.write_csv().encode()).hexdigest(), name, "y")
