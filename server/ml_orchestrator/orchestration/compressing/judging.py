"""What each way to compress is worth, and which of them is kept."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ml_orchestrator.compression.measuring import latency, size_bytes
from ml_orchestrator.compression.models import (
    CompressionReport,
    Difference,
    Latency,
    Method,
    MethodReport,
    Size,
    Verdict,
)
from ml_orchestrator.compression.quality import Bar, Rows, Scored, difference, verdict_of
from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError, UnavailableError
from ml_orchestrator.orchestration.compressing.case import Case
from ml_orchestrator.orchestration.compressing.methods import MAKERS, Made, Tell, Wish
from ml_orchestrator.orchestration.compressing.models import Prefer
from ml_orchestrator.training.metrics import Predictions

__all__ = ["Compressed", "compress"]

NOTICEABLE = 1.05  # times smaller or faster, from which it is a gain
_log = logging.getLogger(__name__)

_SAID: Mapping[Verdict, str] = MappingProxyType(
    {
        "kept": "Keeps the quality",
        "unclear": "May keep the quality, but the held-out rows are too few to say so",
        "worse": "Loses more quality than is allowed",
        "no gain": "Is neither smaller nor faster",
    }
)


@dataclass(frozen=True, slots=True)
class Compressed:
    """The report, and what each method made."""

    report: CompressionReport
    made: Mapping[Method, Made]

    @property
    def winner(self) -> Made | None:
        """What is to be registered."""
        return None if self.report.winner is None else self.made[self.report.winner]


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What every method is held against.

    Attributes:
        case: the version and its held-out rows.
        bar: what is asked on these.
        size_bytes: the version's file.
        n_tried: methods that are judged on these rows.
        seed: of the resamples.
    """

    case: Case
    bar: Bar
    size_bytes: int
    n_tried: int
    seed: int


def compress(
    case: Case,
    methods: Sequence[Method],
    *,
    tolerance: float,
    prefer: Prefer,
    seed: int,
    tell: Tell,
) -> Compressed:
    """Try the methods in turn and judge each on the held-out rows.

    A method that cannot be used on this version is reported so; the others go on. The winner is
    the smallest, or the quickest for one row, of those that keep the quality, else of those that
    may. Held-out scores choose nothing but who takes part, and the more methods are asked for, the
    wider the interval that each must keep within.

    Raises:
        InvalidInputError: the version is no better than its baseline, so nothing can be kept.
    """
    bar = case.bar(tolerance)
    bar.margin(case.job.table.metric.compute(case.given))
    yardstick = _Yardstick(case, bar, size_bytes(case.model), len(methods), seed)
    made: dict[Method, Made] = {}
    reports = []
    for number, method in enumerate(methods):
        start, share = number / len(methods), 1 / len(methods)
        student = made.get("distil")
        wish = Wish(tolerance, seed, student)
        try:
            made[method] = MAKERS[method](case, wish, _part_of(tell, start, 0.8 * share))
        except (InvalidInputError, UnavailableError, IntegrityViolationError) as error:
            _log.info("%s is not possible", method, exc_info=True)
            reports.append(MethodReport(method=method, verdict="not possible", summary=str(error)))
            continue
        tell(start + 0.85 * share, f"Measuring {made[method].what} beside the original.")
        reports.append(_judged(yardstick, method, made[method]))
    winner = _winner(reports, prefer)
    return Compressed(
        CompressionReport(
            model=case.name,
            version=case.origin.version,
            tolerance=tolerance,
            metric=bar.metric,
            baseline=bar.baseline,
            methods=tuple(reports),
            winner=winner.method if winner else None,
            is_within_tolerance=winner is not None and winner.verdict == "kept",
            summary=_outcome(case, winner),
        ),
        made,
    )


def _part_of(tell: Tell, start: float, share: float) -> Tell:
    return lambda part, text: tell(start + share * part, text)


def _judged(yardstick: _Yardstick, method: Method, made: Made) -> MethodReport:
    case = yardstick.case
    size = Size(before=yardstick.size_bytes, after=size_bytes(made.model))
    took = latency(case.model.predict, made.model.predict, case.unseen)
    draw, n_draws = case.draws()
    found = difference(
        _scored(case, case.given),
        _scored(case, case.answers(made.model)),
        draw,
        yardstick.bar,
        n_rows=len(case.job.split.test),
        n_resamples=n_draws,
        n_tried=yardstick.n_tried,
        seed=yardstick.seed,
    )
    gains = max(size.ratio, took.single_ratio) >= NOTICEABLE
    verdict = verdict_of(found, is_smaller_or_faster=gains)
    return MethodReport(
        method=method,
        verdict=verdict,
        summary=_sentence(verdict, made, size, took, found),
        made=made.what,
        size=size,
        latency=took,
        quality=found,
        equality=made.equality,
        students=made.students,
    )


def _scored(case: Case, given: Predictions) -> Scored:
    metric = case.job.table.metric

    def score(rows: Rows) -> float:
        return metric.compute(given.take(np.asarray(rows, np.int64)))

    return score


def _winner(reports: Sequence[MethodReport], prefer: Prefer) -> MethodReport | None:
    for verdict in ("kept", "unclear"):
        able = [r for r in reports if r.verdict == verdict]
        if able:
            return min(able, key=lambda report: _rank(report, prefer))
    return None


def _rank(report: MethodReport, prefer: Prefer) -> float:
    assert report.size is not None
    assert report.latency is not None
    return float(report.size.after) if prefer == "size" else report.latency.single_after


def _sentence(verdict: Verdict, made: Made, size: Size, took: Latency, found: Difference) -> str:
    what = made.what[0].upper() + made.what[1:]
    return (
        f"{what}. {_SAID[verdict]}: {found.metric} {found.after:.4g} after {found.before:.4g}, "
        f"which is {found.kept:.1%} of the gain over the baseline (change {found.change:+.3g}, "
        f"{100 * found.level:.3g} % interval {found.low:+.3g} to {found.high:+.3g}, "
        f"{-found.margin:.3g} allowed, {found.n:,} held-out rows). "
        f"{size.after:,} bytes after {size.before:,} ({_times(size.ratio, 'smaller', 'larger')}); "
        f"one row in {took.single_after:.2f} ms after {took.single_before:.2f} "
        f"({_times(took.single_ratio, 'faster', 'slower')})."
    )


def _times(ratio: float, better: str, worse: str) -> str:
    return f"{ratio:.1f} times {better}" if ratio >= 1 else f"{1 / ratio:.1f} times {worse}"


def _outcome(case: Case, winner: MethodReport | None) -> str:
    origin = f"version {case.origin.version} of {case.name}"
    if winner is None:
        return f"Nothing replaces {origin}: no way keeps enough quality."
    if winner.verdict == "kept":
        return f"{winner.method} keeps the quality of {origin}. {winner.summary}"
    return (
        f"{winner.method} may keep the quality of {origin}; decide on more rows. {winner.summary}"
    )
