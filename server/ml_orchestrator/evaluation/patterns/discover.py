"""Patterns of a table: selected on one part, tested on a second, replicated on a third."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.patterns.candidates import Candidate, Candidates, gather
from ml_orchestrator.evaluation.patterns.cautions import cautions
from ml_orchestrator.evaluation.patterns.checking import Measured, measure
from ml_orchestrator.evaluation.patterns.clusters import FoundCluster, find_clusters
from ml_orchestrator.evaluation.patterns.copies import copies_of
from ml_orchestrator.evaluation.patterns.features import binary_features
from ml_orchestrator.evaluation.patterns.giveaways import giveaways
from ml_orchestrator.evaluation.patterns.models import (
    Cluster,
    Effect,
    Pattern,
    PatternReport,
    StandIn,
    Status,
)
from ml_orchestrator.evaluation.patterns.outcome import (
    Outcome,
    independent_cases,
    numbered_groups,
    read_outcome,
)
from ml_orchestrator.evaluation.patterns.parts import Parts, cut_parts
from ml_orchestrator.evaluation.patterns.power import detectable_effect
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.evaluation.patterns.selection import Selected, select, threshold
from ml_orchestrator.evaluation.patterns.sequences import SequencePattern, sequence_patterns
from ml_orchestrator.evaluation.patterns.table import (
    CaseTable,
    check_table,
    feature_columns,
    times_of,
)
from ml_orchestrator.evaluation.patterns.words import pattern_sentence, report_sentences
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg, benjamini_yekutieli
from ml_orchestrator.numerics.wilson import wilson_interval

__all__ = ["discover_patterns"]

LEAST_HOLDERS = 30
REPLICATION_ALPHA = 0.05
_ADJUST = {
    "positive": ("benjamini_hochberg", benjamini_hochberg),
    "any": ("benjamini_yekutieli", benjamini_yekutieli),
}
_ORDER = {"replicated": 0, "confirmed": 1, "selected": 2}


@dataclass(frozen=True, slots=True)
class _Data:
    """The cases that are used: table, outcome, parts, groups."""

    table: CaseTable
    outcome: Outcome
    parts: Parts
    groups: NDArray[np.int64] | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """Candidates, what was selected of them, and how it fared on the other parts."""

    candidates: Candidates
    clusters: Sequence[FoundCluster]
    notices: tuple[str, ...]
    selected: Selected
    patterns: list[Candidate]
    tested: Measured
    q_values: NDArray[np.float64]
    replication: Measured


def discover_patterns(
    table: CaseTable, spec: PatternSpec, *, times: Collection[str] = ()
) -> PatternReport:
    """Return which patterns go with the outcome, with what their checks say.

    The first part (60 %) cuts numbers, lists candidates and selects a joint model of patterns;
    the second (20 %) tests each in one regression, in the direction the first part expects, and
    adjusts for all of them; the third (20 %) repeats the regression. An effect is that of a
    pattern with all other selected patterns held as they are.

    Args:
        table: at least 300 cases with an outcome; at most 200,000.
        spec: what is what.
        times: columns that hold dates or times, as seconds.

    Raises:
        InvalidInputError: a column is missing or of the wrong kind, or there are too few or too
            many cases, groups or features; the message says what would work.
    """
    data = _read(table, spec, times)
    found = _searched(data, spec)
    return _report(data, found, spec)


def _read(table: CaseTable, spec: PatternSpec, time_columns: Collection[str]) -> _Data:
    check_table(table, spec)
    outcome = read_outcome(spec.outcome, table[spec.outcome], is_time=spec.outcome in time_columns)
    rows = outcome.rows
    used = {n: c[rows] for n, c in table.items()}
    notices: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None
    if spec.group:
        groups = numbered_groups(table[spec.group], rows, spec.group)
    else:
        columns = [spec.outcome, *feature_columns(table, spec), *_orders(spec)]
        groups, notices = copies_of(used, columns)
    times = times_of(table, spec.time, rows) if spec.time else None
    parts = cut_parts(len(rows), seed=spec.seed, groups=groups, times=times)
    return _Data(used, outcome, parts, groups, (*outcome.notices, *notices))


def _orders(spec: PatternSpec) -> list[str]:
    """Return the columns that say in which order cases, or their events, were."""
    return [name for name in (spec.time, spec.sequence) if name is not None]


def _searched(data: _Data, spec: PatternSpec) -> _Found:
    first, values = data.parts.selection, data.outcome.values
    least = max(LEAST_HOLDERS, int(np.ceil(spec.min_support * len(first))))
    features = binary_features(
        data.table, feature_columns(data.table, spec), learn_on=first, least=least
    )
    orders: list[SequencePattern] = []
    notices = list(features.notices)
    if spec.sequence:
        orders, more = sequence_patterns(
            spec.sequence, data.table[spec.sequence], learn_on=first, least=least
        )
        notices += more
    if not features.names and not orders:
        raise InvalidInputError(_nothing_to_look_at(data.table, spec))
    is_grouped = spec.with_clusters and bool(features.names)
    groups = find_clusters(features, learn_on=first, seed=spec.seed) if is_grouped else []
    candidates = gather(features, orders, groups, rows=first, least=least, max_size=spec.max_size)
    worth = independent_cases(values[first], None if data.groups is None else data.groups[first])
    selected = select(candidates, values[first], n_independent=worth)
    patterns = [candidates.candidate(index) for index in selected.chosen]
    before = measure(patterns, values, first, groups=data.groups)
    tested = measure(patterns, values, data.parts.test, groups=data.groups, expected=before.signs)
    q_values = _ADJUST[spec.dependence][1](tested.in_direction)
    again = measure(patterns, values, data.parts.replication, groups=data.groups)
    return _Found(candidates, groups, tuple(notices), selected, patterns, tested, q_values, again)


def _nothing_to_look_at(table: CaseTable, spec: PatternSpec) -> str:
    columns = ", ".join(feature_columns(table, spec)[:20]) or "none"
    order = f", and no order of events in {spec.sequence!r} is frequent enough"
    return (
        "No column makes a usable feature: each is constant, nearly constant or free text"
        f"{order if spec.sequence else ''}. Columns: {columns}. Give columns that vary."
    )


def _report(data: _Data, found: _Found, spec: PatternSpec) -> PatternReport:
    patterns = [_pattern(data, found, spec, place) for place in range(len(found.patterns))]
    patterns.sort(key=lambda p: (_ORDER[p.status], p.q_value, p.pattern))
    n_replicated = sum(p.status == "replicated" for p in patterns)
    n_confirmed = n_replicated + sum(p.status == "confirmed" for p in patterns)
    low, high = wilson_interval(n_replicated, n_confirmed)
    sd = float(data.outcome.values.std())
    selection_z = _selection_z(found.candidates)
    n_cases = len(data.outcome.values)
    detectable = detectable_effect(n_cases, sd, selection_z=selection_z, fdr=spec.fdr)
    return PatternReport(
        summary=report_sentences(
            sizes=data.parts.sizes,
            n_candidates=found.candidates.n,
            n_selected=len(patterns),
            n_confirmed=n_confirmed,
            n_replicated=n_replicated,
            interval=(low, high),
            fdr=spec.fdr,
            detectable=detectable,
            is_binary=data.outcome.is_binary,
        ),
        patterns=tuple(patterns),
        n_selected=len(patterns),
        n_confirmed=n_confirmed,
        n_replicated=n_replicated,
        replication_share=n_replicated / n_confirmed if n_confirmed else None,
        replication_low=low,
        replication_high=high,
        fdr=spec.fdr,
        correction=_ADJUST[spec.dependence][0],
        n_cases=n_cases,
        n_parts=data.parts.sizes,
        outcome_mean=float(data.outcome.values.mean()),
        is_share=data.outcome.is_binary,
        n_features=len(found.candidates.features.names),
        n_candidates=found.candidates.n,
        detectable_effect=detectable,
        clusters=tuple(
            Cluster(cluster=c.name, share=float(c.holds.mean()), described_by=c.described_by)
            for c in found.clusters
        ),
        warnings=cautions(
            n_cases=n_cases,
            sd=sd,
            selection_z=selection_z,
            spec=spec,
            is_binary=data.outcome.is_binary,
            patterns=patterns,
            residuals=_in_time_order(data, found, spec),
            n_groups=0 if data.groups is None else len(np.unique(data.groups)),
            giveaways=giveaways(
                data.table,
                feature_columns(data.table, spec),
                found.patterns,
                data.outcome.values,
            ),
        ),
        notices=(*data.notices, *found.notices),
    )


def _pattern(data: _Data, found: _Found, spec: PatternSpec, place: int) -> Pattern:
    one, tested, again = (
        found.patterns[place], found.tested.effects[place], found.replication.effects[place]
    )  # fmt: skip
    status = _status(tested, again, is_confirmed=bool(found.q_values[place] <= spec.fdr))
    return Pattern(
        pattern=one.name,
        kind=one.kind,
        items=one.items,
        n_cases=int(one.holds.sum()),
        support=float(one.holds.mean()),
        status=status,
        tested=tested,
        q_value=float(found.q_values[place]),
        replication=None if status == "selected" else again,
        stand_ins=_stand_ins(found, place, data.parts.selection),
        summary=pattern_sentence(
            one.name,
            status,
            tested,
            again,
            is_binary=data.outcome.is_binary,
            held=_held(found, place, found.tested if status == "confirmed" else found.replication),
        ),
    )


def _held(found: _Found, place: int, measured: Measured) -> list[str]:
    """Return the other patterns of a regression, those that share features with this one first.

    So where its own features are patterns, too, the effect of a set is what it adds to them.
    """
    mine = set(found.patterns[place].items)
    others = [
        other
        for i, other in enumerate(found.patterns)
        if i != place and measured.effects[i] is not None
    ]
    others.sort(key=lambda other: (-len(mine & set(other.items)), other.name))
    return [other.name for other in others]


def _status(tested: Effect | None, again: Effect | None, *, is_confirmed: bool) -> Status:
    if tested is None or not is_confirmed:
        return "selected"
    if again is None or again.effect * tested.effect <= 0 or again.p_value >= REPLICATION_ALPHA:
        return "confirmed"
    return "replicated"


def _stand_ins(found: _Found, place: int, rows: NDArray[np.int64]) -> tuple[StandIn, ...]:
    mine = found.patterns[place].holds[rows]
    others = [found.candidates.candidate(index) for index in found.selected.stand_ins[place]]
    return tuple(
        StandIn(
            pattern=other.name,
            correlation=float(np.clip(np.corrcoef(mine, other.holds[rows])[0, 1], -1, 1)),
        )
        for other in others
    )


def _selection_z(candidates: Candidates) -> float:
    """Return what a pair of features, or else a feature, must exceed to be selected."""
    families, sizes = np.unique(candidates.families, return_counts=True)
    place = int(np.searchsorted(families, min(2, families.max())))
    return threshold(int(sizes[place]), len(families))


def _in_time_order(data: _Data, found: _Found, spec: PatternSpec) -> NDArray[np.float64] | None:
    """Return what the patterns do not explain in the second part, in order of time."""
    if spec.time is None:
        return None
    order = np.argsort(data.table[spec.time][data.parts.test], kind="stable")
    return found.tested.residuals[order]
