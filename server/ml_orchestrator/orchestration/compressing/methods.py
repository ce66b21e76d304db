"""The ways to compress a version, each from the case to a smaller model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ml_orchestrator.compression.distilling import Lesson, choose, taught
from ml_orchestrator.compression.equality import compared, require_equal
from ml_orchestrator.compression.models import Equality, Method, Student
from ml_orchestrator.compression.pruning import choose_cut, cut
from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.modelfiles.optional import onnx_files
from ml_orchestrator.orchestration.compressing.case import Case
from ml_orchestrator.orchestration.compressing.students import small_models
from ml_orchestrator.training.space import Params

__all__ = ["MAKERS", "Made", "Tell", "Wish", "require_onnx"]

Tell = Callable[[float, str], None]
"""Told a fraction of the method, 0 to 1, and a sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a method may spend and start from; ``student`` is what distilling made, if it did."""

    tolerance: float
    seed: int
    student: "Made | None" = None


@dataclass(frozen=True, slots=True)
class Made:
    """A smaller model.

    Attributes:
        model: takes raw rows as the original does.
        what: the model in words.
        trainer: its family.
        params: its parameters, for the record.
        score: the metric on rows it was chosen by; None where nothing was chosen.
        students: what was tried.
        equality: of an exported one.
    """

    model: Any
    what: str
    trainer: str
    params: Params
    score: float | None = None
    students: tuple[Student, ...] = ()
    equality: Equality | None = None


def require_onnx() -> None:
    """Return if the extra ``onnx`` is installed.

    Raises:
        UnavailableError: it is not; the message says how to install it.
    """
    try:
        import_alone("onnx")
        import_alone("onnxruntime")
    except ImportError as error:
        raise UnavailableError(
            "Methods onnx and quantise need onnx and onnxruntime, which are not installed. Install "
            f"them with: {pip_install('onnx')}. distil and prune work without."
        ) from error


def _distil(case: Case, wish: Wish, tell: Tell) -> Made:
    small = small_models(case)
    candidates = [each.candidate for each in small]
    tell(0.0, "Fitting the model without a fold, as a teacher to choose a student by.")
    teacher = case.refitted()
    table, (rows, unseen) = case.job.table, case.folds
    place, tried = choose(
        candidates,
        teacher,
        _lesson(case, rows),
        table.features.iloc[unseen],
        score=case.choosing_score,
        bar=case.choosing_bar(wish.tolerance),
        seed=wish.seed,
        tell=lambda n, name: tell(0.2 + 0.6 * n / len(candidates), f"Teaching {name}."),
    )
    tell(0.8, f"Teaching {candidates[place].name} on all training rows.")
    whole = _lesson(case, case.job.split.train)
    student = taught(candidates[place], case.model, whole, seed=wish.seed)
    chosen = small[place]
    return Made(
        model=student,
        what=chosen.candidate.name,
        trainer=chosen.trainer,
        params=chosen.params,
        score=tried[place].score,
        students=tried,
    )


def _lesson(case: Case, rows: Any) -> Lesson:
    table = case.job.table
    weights = None if table.weights is None else table.weights[rows]
    return Lesson(table.features.iloc[rows], table.labels[rows], weights)


def _prune(case: Case, wish: Wish, tell: Tell) -> Made:
    tell(0.0, "Fitting the model without a fold, to choose a cut by.")
    alike = case.refitted()
    how = choose_cut(
        alike,
        case.choosing_score,
        case.choosing_bar(wish.tolerance),
        tell=lambda number, n_all: tell(0.2 + 0.7 * number / n_all, f"Cut {number} of {n_all}."),
    )
    if how is None:
        raise InvalidInputError(
            "Every cut costs more than half the tolerance on the rows to choose by. Allow a larger "
            "tolerance, or use distil."
        )
    summary = case.origin.summary
    return Made(
        model=cut(case.model, how),
        what=f"the same with {how}",
        trainer=summary.trainer,
        params=summary.params,
        score=case.choosing_score(cut(alike, how)),
    )


def _onnx(case: Case, wish: Wish, tell: Tell) -> Made:
    """Export the version, or what it was distilled into where it has no form in ONNX."""
    tell(0.0, "Writing the graph.")
    source, content = _exported(case, wish)
    model = onnx_files().open_onnx(content)
    tell(0.5, "Comparing it with the pipeline.")
    found = compared(source.model, model, case.unseen)
    require_equal(found)
    return replace(source, model=model, what=f"{source.what} as ONNX", equality=found)


def _quantise(case: Case, wish: Wish, tell: Tell) -> Made:
    tell(0.0, "Writing the graph in 32 bits.")
    source, content = _exported(case, wish, single=True)
    quantising = import_alone("ml_orchestrator.compression.quantising")
    model = onnx_files().open_onnx(quantising.quantised(content))
    found = compared(source.model, model, case.unseen)
    what = f"{source.what} as ONNX with weights of 8 bits"
    return replace(source, model=model, what=what, equality=found)


def _exported(case: Case, wish: Wish, *, single: bool = False) -> tuple[Made, bytes]:
    """Return the graph of the version if it has one, else of the student, and whose it is."""
    require_onnx()
    export_onnx = import_alone("ml_orchestrator.compression.exporting.export").export_onnx
    try:
        content = export_onnx(case.model, single=single)
    except InvalidInputError:
        if wish.student is None:
            raise
        student = replace(wish.student, what="the student", students=())
        return student, export_onnx(student.model, single=single)
    summary = case.origin.summary
    return Made(case.model, "the version", summary.trainer, summary.params), content


MAKERS: Mapping[Method, Callable[[Case, Wish, Tell], Made]] = MappingProxyType(
    {"distil": _distil, "prune": _prune, "onnx": _onnx, "quantise": _quantise}
)
