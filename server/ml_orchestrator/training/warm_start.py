"""What a search tries before and after its defaults: what did best on similar data sets."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ml_orchestrator.records import Record
from ml_orchestrator.storage.whole_files import write_whole
from ml_orchestrator.training.families import local
from ml_orchestrator.training.meta_features import distance
from ml_orchestrator.training.models import Task, WarmStart
from ml_orchestrator.training.shelf import StudyShelf
from ml_orchestrator.training.space import Params, ParamValue
from ml_orchestrator.training.space_fitting import in_space
from ml_orchestrator.training.study import FinishedTrial, StudyResult, ranked
from ml_orchestrator.training.trainer import Problem
from ml_orchestrator.training.trainers import TRAINERS

__all__ = [
    "Beginning",
    "Experience",
    "Leader",
    "Recall",
    "choose_beginning",
    "kept_or_chosen",
    "leaders_of",
    "starts_after",
    "starts_before",
]

N_STARTS = 3  # of one trainer
N_BEFORE = 1  # of all, before the defaults
N_BEFORE_ONCE = 3  # in studies that earlier releases began
NEARLY_SAME = 0.3
FURTHEST = 1.5  # beyond this distance data sets have too little in common
SOFTENED = 0.05  # is added to a distance before it weighs an order
FILE = "warm_start.json"
_log = logging.getLogger(__name__)


class Beginning(Record):
    """What a search begins with: configurations, and families in the order to try them.

    ``n_before`` starts at most, of data nearly the same, are tried before the defaults.
    ``why_none`` says why there are no starts.
    """

    starts: tuple[WarmStart, ...] = ()
    families: tuple[str, ...] = ()
    n_before: int = N_BEFORE
    why_none: str = ""


_KEPT: TypeAdapter[Beginning | tuple[WarmStart, ...]] = TypeAdapter(
    Beginning | tuple[WarmStart, ...]  # earlier releases kept the starts alone
)


@dataclass(frozen=True, slots=True)
class Leader:
    """The best configuration of one family; what was done to columns is among ``params``."""

    trainer: str
    params: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class Experience:
    """What one finished search found on one data set: the best of each family, best first."""

    run_id: str
    dataset_digest: str
    meta_features: Mapping[str, float]
    leaders: Sequence[Leader]


Recall = Callable[[Task], Sequence[Experience]]
"""Returns what earlier searches of the same kind of problem found, newest first."""

Suitable = Callable[[Mapping[str, ParamValue]], Params]
"""Returns what was done to columns elsewhere and can be done here."""

_Near = Sequence[tuple[float, Experience]]  # each with its distance, nearest first


def leaders_of(result: StudyResult, *, higher_is_better: bool) -> tuple[Leader, ...]:
    """Return the best configuration of each family with a complete trial, best first.

    First is the one that was chosen, which of several objectives need not have the best score.
    """
    best: dict[str, Leader] = {}
    for trial in [result.best, *ranked(result.trials, higher_is_better=higher_is_better)]:
        params = local(trial.params)
        trainer = str(params.pop("trainer"))
        best.setdefault(trainer, Leader(trainer, params))
    return tuple(best.values())


def choose_beginning(
    experiences: Sequence[Experience],
    meta: Mapping[str, float],
    *,
    dataset_digest: str,
    trainers: Sequence[str],
    problem: Problem,
    suitable: Suitable = lambda _: {},
) -> Beginning:
    """Return what did best on the most similar data sets, the nearest first.

    At most three starts of each trainer, of different data sets and different from one another.
    Those that equal the trainer's defaults are left out, unless the data set is nearly the same:
    then they say what to begin with, and what was done to its columns comes along. The same data
    set is left out: its own search, repeated with the same seed, shall give the same trials. What
    names an unknown or unwanted trainer is passed over.
    """
    gaps = sorted((_gap(meta, e), i) for i, e in enumerate(experiences))
    near = [
        (gap, experiences[i])
        for gap, i in gaps
        if gap <= FURTHEST and experiences[i].dataset_digest != dataset_digest
    ]
    chosen: list[WarmStart] = []
    sources: set[tuple[str, str]] = set()
    for gap, found in near:
        for leader in found.leaders:
            source = (leader.trainer, found.dataset_digest)
            if leader.trainer not in trainers or source in sources:
                continue
            start = _start(gap, found.run_id, leader, problem, suitable)
            if _is_new(start, chosen, problem):
                sources.add(source)
                chosen.append(start)
    return Beginning(
        starts=tuple(chosen),
        families=_in_order(trainers, near),
        why_none="" if chosen else _why_none(experiences, near, dataset_digest, trainers),
    )


def _why_none(
    experiences: Sequence[Experience], near: _Near, dataset_digest: str, trainers: Sequence[str]
) -> str:
    leaders = {leader.trainer for _, found in near for leader in found.leaders}
    if near and leaders.isdisjoint(trainers):
        return "none of the trainers of this search was tried on similar data"
    if near:
        return "what did best on similar data is what a search tries anyway"
    if not experiences:
        return "no earlier search of this kind is stored"
    others = [found for found in experiences if found.dataset_digest != dataset_digest]
    same = (
        "earlier searches of the same data are left out, so that the same seed gives the same "
        "trials again"
    )
    if not others:
        return same
    far = "no earlier search of this kind was on other data that are similar enough"
    return f"{far}; {same}" if len(others) < len(experiences) else far


def _gap(meta: Mapping[str, float], found: Experience) -> float:
    return round(distance(meta, found.meta_features), 4)


def _start(
    gap: float, run_id: str, leader: Leader, problem: Problem, suitable: Suitable
) -> WarmStart:
    options = suitable(leader.params) if gap <= NEARLY_SAME else {}
    return WarmStart(
        run_id=run_id,
        distance=gap,
        trainer=leader.trainer,
        params={**in_space(leader.trainer, leader.params, problem), **options},
    )


def _is_new(start: WarmStart, chosen: Sequence[WarmStart], problem: Problem) -> bool:
    own = [other.params for other in chosen if other.trainer == start.trainer]
    if len(own) >= N_STARTS or start.params in own:
        return False
    defaults = in_space(start.trainer, TRAINERS[start.trainer].first_params, problem)
    return start.params != defaults or (
        start.distance <= NEARLY_SAME and len(starts_before(chosen)) < N_BEFORE
    )


def _in_order(trainers: Sequence[str], near: _Near) -> tuple[str, ...]:
    """Return the trainers by their mean rank on similar data, those that know nothing as given.

    A data set weighs by the inverse square of its distance, so that one nearly the same decides.
    """
    if not near:
        return tuple(trainers)
    weights = np.array([(gap + SOFTENED) ** -2 for gap, _ in near])
    ranks = np.array([[_rank(name, found) for name in trainers] for _, found in near])
    means = (weights[:, None] * ranks).sum(axis=0)  # ties stay ties, which a product breaks
    return tuple(trainers[i] for i in np.argsort(means, kind="stable"))


def _rank(trainer: str, found: Experience) -> int:
    names = [leader.trainer for leader in found.leaders]
    return names.index(trainer) if trainer in names else len(names)


def starts_before(known: Sequence[WarmStart], n: int = N_BEFORE) -> list[WarmStart]:
    """Return at most ``n`` starts of data nearly the same, such as the same table with fewer rows.

    Such data knows which family suits and how to tune it, so they are tried before the defaults.
    """
    same = [start for start in known if start.distance <= NEARLY_SAME]
    return same[:n]


def starts_after(
    beginning: Beginning, first: Sequence[FinishedTrial], *, higher_is_better: bool
) -> list[WarmStart]:
    """Return the other starts, of the trainer that did best here in ``first``.

    Which family suits the data is seen from its own trials better than from other data sets;
    how to tune a family is what those know.
    """
    known = beginning.starts
    best_first = ranked(first, higher_is_better=higher_is_better)
    if not best_first:
        return []
    leader, before = best_first[0].params["trainer"], starts_before(known, beginning.n_before)
    return [start for start in known if start.trainer == leader and start not in before]


def kept_or_chosen(
    study_dir: Path,
    choose: Callable[[], Beginning],
    *,
    shelf: StudyShelf | None = None,
) -> Beginning:
    """Return what this study began with; chosen and kept on its first run.

    A resumed study must begin with the same, whatever was learnt elsewhere meanwhile.
    """
    path = study_dir / FILE
    try:
        kept = _KEPT.validate_json(path.read_bytes())
        return kept if isinstance(kept, Beginning) else _as_once(kept)
    except FileNotFoundError:
        beginning = choose()
    except ValidationError:
        _log.warning("%s is damaged; the study begins without it", path.name)
        beginning = Beginning()
    study_dir.mkdir(parents=True, exist_ok=True)
    content = beginning.model_dump_json()
    write_whole(path, content)
    if shelf is not None:
        shelf.put(FILE, content.encode())
    return beginning


def _as_once(starts: Sequence[WarmStart]) -> Beginning:
    """Return what earlier releases began a study with, of which they kept the starts alone."""
    nearest_first = sorted(starts, key=lambda start: start.distance)
    return Beginning(starts=tuple(nearest_first), n_before=N_BEFORE_ONCE)
