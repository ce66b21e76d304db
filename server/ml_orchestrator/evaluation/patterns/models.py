"""What a search for patterns found, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["Cluster", "Effect", "Pattern", "PatternKind", "PatternReport", "StandIn", "Status"]

PatternKind = Literal["feature", "set", "sequence", "cluster"]
Status = Literal["replicated", "confirmed", "selected"]
Share = Annotated[float, Field(ge=0, le=1)]


class Effect(Record):
    """A difference of the outcome, with the other selected patterns held as they are."""

    effect: Annotated[
        float, Field(description="Mean outcome with the pattern less that without, all else equal.")
    ]
    low: Annotated[float, Field(description="Lower end of the 95 % interval.")]
    high: Annotated[float, Field(description="Upper end of the 95 % interval.")]
    p_value: Annotated[Share, Field(description="Two-sided.")]


class StandIn(Record):
    """Another pattern that the data can hardly tell from the one that was credited."""

    pattern: Annotated[str, Field(description="Its name.")]
    correlation: Annotated[
        float, Field(ge=-1, le=1, description="Correlation of the cases that hold them.")
    ]


class Pattern(Record):
    """One pattern, and what became of it on rows that did not choose it."""

    pattern: Annotated[str, Field(description="Its name.")]
    kind: Annotated[PatternKind, Field(description="What it is made of.")]
    items: Annotated[tuple[str, ...], Field(description="Its features, or events in order.")]
    n_cases: Annotated[int, Field(ge=0, description="Cases that hold it.")]
    support: Annotated[Share, Field(description="Share of all cases.")]
    status: Annotated[
        Status,
        Field(
            description="selected on the first part only; confirmed by the second; replicated by "
            "the third too."
        ),
    ]
    tested: Annotated[
        Effect | None, Field(description="On the second part; null if too few cases hold it there.")
    ]
    q_value: Annotated[
        Share, Field(description="Confirmed if at most fdr: adjusted for all selected patterns.")
    ]
    replication: Annotated[
        Effect | None,
        Field(description="On the third part, which nothing touched: the effect to believe."),
    ] = None
    stand_ins: Annotated[
        tuple[StandIn, ...],
        Field(description="Patterns that may be the real one instead, likeliest first."),
    ] = ()
    summary: Annotated[str, Field(description="The finding in one sentence.")]


class Cluster(Record):
    """A group of similar cases, found without looking at the outcome."""

    cluster: Annotated[str, Field(description="Its name.")]
    share: Annotated[Share, Field(description="Share of all cases.")]
    described_by: Annotated[
        tuple[str, ...], Field(description="Features more or less common in it than elsewhere.")
    ]


class PatternReport(Record):
    """Which patterns go with the outcome, and how far that may be believed."""

    level: Annotated[
        Literal["L1"], Field(description="L1: rests on recorded outcomes; association, not cause.")
    ] = "L1"
    summary: Annotated[str, Field(description="What may be concluded, in plain words.")]
    patterns: Annotated[
        tuple[Pattern, ...], Field(description="Replicated first, then confirmed, then selected.")
    ]
    n_selected: Annotated[int, Field(ge=0, description="Patterns the first part proposed.")]
    n_confirmed: Annotated[int, Field(ge=0, description="Of these, confirmed by the second.")]
    n_replicated: Annotated[int, Field(ge=0, description="Of these, replicated by the third.")]
    replication_share: Annotated[
        Share | None, Field(description="n_replicated of n_confirmed; null if there is none.")
    ]
    replication_low: Annotated[
        Share, Field(description="Lower end of its 95 % Wilson interval; few patterns say little.")
    ]
    replication_high: Annotated[Share, Field(description="Upper end.")]
    fdr: Annotated[float, Field(description="False share allowed among confirmed patterns.")]
    correction: Annotated[str, Field(description="How p values were adjusted.")]
    n_cases: Annotated[int, Field(ge=0, description="Cases used, in all three parts.")]
    n_parts: Annotated[
        tuple[int, int, int], Field(description="Cases to select on, to test on, to replicate on.")
    ]
    outcome_mean: Annotated[float, Field(description="Mean outcome.")]
    is_share: Annotated[
        bool, Field(description="Whether the outcome has two values, so that effects are shares.")
    ]
    n_features: Annotated[int, Field(ge=0, description="Binary features made of the columns.")]
    n_candidates: Annotated[int, Field(ge=0, description="Patterns looked at.")]
    detectable_effect: Annotated[
        float,
        Field(description="Effect found 8 times in 10 if every tenth case holds the pattern."),
    ]
    clusters: Annotated[tuple[Cluster, ...], Field(description="Groups that were candidates.")] = ()
    warnings: Annotated[tuple[str, ...], Field(description="Why to be careful.")] = ()
    notices: Annotated[tuple[str, ...], Field(description="What became of columns and rows.")] = ()
