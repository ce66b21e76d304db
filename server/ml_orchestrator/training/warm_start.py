"""What a search tries before and after its defaults: what did best on similar data sets."""

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ml_orchestrator.storage.whole_files import write_whole
from ml_orchestrator.training.meta_features import distance
from ml_orchestrator.training.models import Task, WarmStart
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.space import Params, ParamSpace, ParamValue
from ml_orchestrator.training.study import FinishedTrial, ranked
from ml_orchestrator.training.trainer import Problem
from ml_orchestrator.training.trainers import TRAINERS

__all__ = [
    "Experience",
    "Recall",
    "Starts",
    "choose_starts",
    "in_space",
    "kept_or_chosen",
    "starts_after",
    "starts_before",
]

N_STARTS = 3  # of one trainer
N_BEFORE = 3  # of all, before the defaults
NEARLY_SAME = 0.3
FURTHEST = 1.5  # beyond this distance data sets have too little in common
FILE = "warm_start.json"
_log = logging.getLogger(__name__)
_STARTS = TypeAdapter(tuple[WarmStart, ...])


@dataclass(frozen=True, slots=True)
class Experience:
    """What one finished search found on one data set."""

    run_id: str
    dataset_digest: str
    meta_features: Mapping[str, float]
    trainer: str
    params: Mapping[str, ParamValue]


Recall = Callable[[Task], Sequence[Experience]]
"""Returns what earlier searches of the same kind of problem found, newest first."""

Starts = Callable[[Sequence[FinishedTrial]], Sequence[WarmStart]]
"""Returns what to try next, given how the defaults went."""


def choose_starts(
    experiences: Sequence[Experience],
    meta: Mapping[str, float],
    *,
    dataset_digest: str,
    trainers: Sequence[str],
    problem: Problem,
) -> tuple[WarmStart, ...]:
    """Return the best configurations of the most similar data sets, nearest first.

    At most three of each trainer, of different data sets and different from one another. Those
    that equal the trainer's defaults are left out, unless the data set is nearly the same: then
    they say what to begin with. The same data set is left out: its own search, repeated with the
    same seed, shall give the same trials. An experience that names an unknown or unwanted
    trainer is passed over.
    """
    ranked = sorted(
        ((distance(meta, e.meta_features), i) for i, e in enumerate(experiences)),
    )
    near = [(gap, experiences[i]) for gap, i in ranked if gap <= FURTHEST]
    return tuple(
        start
        for trainer in trainers
        for start in _of_trainer(trainer, near, but_not=dataset_digest, problem=problem)
    )


def _of_trainer(
    trainer: str,
    near: Sequence[tuple[float, Experience]],
    *,
    but_not: str,
    problem: Problem,
) -> Iterable[WarmStart]:
    chosen: dict[str, WarmStart] = {}
    defaults = in_space(trainer, TRAINERS[trainer].first_params, problem) if near else {}
    for gap, found in near:
        if len(chosen) == N_STARTS:
            break
        if found.trainer != trainer or found.dataset_digest in {but_not, *chosen}:
            continue
        params = in_space(trainer, found.params, problem)
        known = [c.params for c in chosen.values()]
        if params not in (known if gap <= NEARLY_SAME else [defaults, *known]):
            chosen[found.dataset_digest] = WarmStart(
                run_id=found.run_id, distance=round(gap, 4), trainer=trainer, params=params
            )
    return chosen.values()


def starts_before(known: Sequence[WarmStart]) -> list[WarmStart]:
    """Return at most three starts of data nearly the same, such as the same table with fewer rows.

    Such data knows which family suits and how to tune it, so they are tried before the defaults.
    """
    same = [start for start in known if start.distance <= NEARLY_SAME]
    return sorted(same, key=lambda start: start.distance)[:N_BEFORE]


def starts_after(
    known: Sequence[WarmStart], first: Sequence[FinishedTrial], *, higher_is_better: bool
) -> list[WarmStart]:
    """Return the starts of other data sets, of the trainer that did best here in ``first``.

    Which family suits the data is seen from its own trials better than from other data sets;
    how to tune a family is what those know.
    """
    best_first = ranked(first, higher_is_better=higher_is_better)
    if not best_first:
        return []
    leader, before = best_first[0].params["trainer"], starts_before(known)
    return [start for start in known if start.trainer == leader and start not in before]


def kept_or_chosen(
    study_dir: Path,
    choose: Callable[[], tuple[WarmStart, ...]],
    *,
    shelf: StudyShelf | None = None,
) -> tuple[WarmStart, ...]:
    """Return the starts that this study began with; chosen and kept on its first run.

    A resumed study must begin with the same ones, whatever was learnt elsewhere meanwhile.
    """
    path = study_dir / FILE
    try:
        return _STARTS.validate_json(path.read_bytes())
    except FileNotFoundError:
        starts = choose()
    except ValidationError:
        _log.warning("%s is damaged; the study begins without it", path.name)
        starts = ()
    study_dir.mkdir(parents=True, exist_ok=True)
    content = json.dumps([start.model_dump() for start in starts])
    write_whole(path, content)
    if shelf is not None:
        shelf.put(FILE, content.encode())
    return starts


def in_space(trainer: str, params: Mapping[str, ParamValue], problem: Problem) -> Params:
    """Return ``params`` inside today's search space of ``trainer`` for ``problem``.

    What lies outside is moved to the nearest end; what is missing or no number takes the
    trainer's first value.
    """
    entry = TRAINERS[trainer]
    return entry.suggest(_Fitting(params, entry.first_params), problem)


class _Fitting(ParamSpace):
    """A search space that answers with given values, made to fit."""

    def __init__(self, params: Mapping[str, ParamValue], first: Mapping[str, ParamValue]) -> None:
        self._params = params
        self._first = first

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return min(max(self._number(name), low), high)

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return round(self.real(name, low, high, log=log))

    def choice(self, name: str, options: Sequence[str]) -> str:
        wanted = self._params.get(name)
        return str(wanted) if wanted in options else str(self._first[name])

    def _number(self, name: str) -> float:
        value = self._params.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value if is_number and math.isfinite(value) else self._first[name])  # type: ignore[arg-type]
