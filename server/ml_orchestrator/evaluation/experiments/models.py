"""What an experiment shows, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "ArmSummary",
    "Check",
    "Comparison",
    "Decision",
    "ExperimentReport",
    "Guard",
    "Level",
    "Look",
    "Plan",
    "Stretch",
]

Decision = Literal[
    "a_better", "b_better", "no_difference_shown", "equivalent", "keep_going", "invalid", "planned"
]
Level = Literal["L1", "L2"]


class ArmSummary(Record):
    """One arm."""

    name: Annotated[str, Field(description="Its name.")]
    is_control: Annotated[bool, Field(description="Whether the others are held against it.")]
    n: Annotated[int, Field(ge=0, description="Rows with an outcome.")]
    n_units: Annotated[int, Field(ge=0, description="Independent units they belong to.")]
    n_missing: Annotated[int, Field(ge=0, description="Rows without an outcome.")]
    mean: Annotated[float, Field(description="Mean outcome; a rate of 0/1 outcomes.")]
    sd: Annotated[float, Field(description="Standard deviation of the outcome.")]
    chance_best: Annotated[float | None, Field(description="Bayesian only.")] = None
    expected_loss: Annotated[
        float | None, Field(description="Bayesian only: lost on average by choosing it.")
    ] = None


class Comparison(Record):
    """One arm (b) against the control (a)."""

    arm: Annotated[str, Field(description="b.")]
    control: Annotated[str, Field(description="a.")]
    decision: Annotated[Decision, Field(description="What is shown of these two.")]
    measure: Annotated[
        Literal["difference_of_means", "probability_of_superiority"],
        Field(description="What effect is: b - a, or the chance that b's value is larger."),
    ]
    effect: Annotated[float, Field(description="The estimate.")]
    low: Annotated[float | None, Field(description="Lower end of its interval; null: none yet.")]
    high: Annotated[float | None, Field(description="Upper end of it, likewise.")]
    confidence: Annotated[
        float, Field(description="Level of the interval; higher with many arms, to hold for all.")
    ]
    relative: Annotated[float | None, Field(description="Effect as a share of a's mean.")] = None
    relative_low: Annotated[float | None, Field(description="Lower end; null if unbounded.")] = None
    relative_high: Annotated[float | None, Field(description="Upper end; null if unbounded.")] = (
        None
    )
    p_value: Annotated[
        float | None, Field(description="Two-sided; valid at every look where monitored.")
    ] = None
    adjusted_p: Annotated[float | None, Field(description="Corrected for many arms.")] = None
    equivalence_p: Annotated[
        float | None, Field(description="That the difference is beyond the margin (TOST).")
    ] = None
    e_value: Annotated[
        float | None, Field(description="Largest so far against no difference; monitored only.")
    ] = None
    shown_at: Annotated[
        int | None, Field(description="Rows of both arms when it was first shown; monitored only.")
    ] = None


class Check(Record):
    """Whether the experiment itself is sound."""

    name: Annotated[
        Literal["sample_ratio", "missing_outcomes", "one_arm_per_unit", "covariate_balance"],
        Field(description="What was checked."),
    ]
    is_passed: Annotated[bool, Field(description="If false, nothing may be concluded.")]
    p_value: Annotated[float | None, Field(description="Of its test, if it has one.")] = None
    detail: Annotated[str, Field(description="What was found.")]


class Guard(Record):
    """Whether another column may have become worse."""

    column: Annotated[str, Field(description="The column.")]
    arm: Annotated[str, Field(description="b.")]
    status: Annotated[
        Literal["holds", "harmed", "not_shown"],
        Field(description="holds: not worse by the margin; harmed: shown worse by more than it."),
    ]
    margin: Annotated[float, Field(description="The loss that is acceptable.")]
    effect: Annotated[float, Field(description="b - a.")]
    low: Annotated[float | None, Field(description="Lower end of its interval; null: none yet.")]
    high: Annotated[float | None, Field(description="Upper end of it, likewise.")]


class Look(Record):
    """The state of a monitored comparison at one moment."""

    n: Annotated[int, Field(description="Rows of both arms until then.")]
    effect: Annotated[float, Field(description="b - a.")]
    low: Annotated[float, Field(description="Lower end of the confidence sequence.")]
    high: Annotated[float, Field(description="Upper end of it.")]
    e_value: Annotated[float, Field(description="Against no difference, then.")]


class Stretch(Record):
    """The effect in one stretch of time."""

    start: Annotated[str, Field(description="First moment.")]
    end: Annotated[str, Field(description="Last moment.")]
    effect: Annotated[float, Field(description="b - a.")]
    low: Annotated[float, Field(description="Lower end of the interval.")]
    high: Annotated[float, Field(description="Upper end of it.")]


class Plan(Record):
    """How many units an experiment needs in each arm; in the smallest, by ``shares``."""

    effect: Annotated[float, Field(description="The difference that shall be found.")]
    power: Annotated[float, Field(description="Chance to find it, if it is there.")]
    alpha: Annotated[float, Field(description="Chance to find one where there is none.")]
    n_fixed: Annotated[int, Field(description="If looked at once, at the end.")]
    n_monitored: Annotated[int, Field(description="At most, if looked at repeatedly (msprt).")]
    n_median_stop: Annotated[int, Field(description="Half of monitored tests end by then.")]
    n_mean_stop: Annotated[int, Field(description="When monitored tests end on average.")]
    detectable_effect: Annotated[
        float | None, Field(description="With n_per_arm units, looked at once, this power.")
    ] = None


class ExperimentReport(Record):
    """What may be concluded from an experiment, and what may not."""

    decision: Annotated[Decision, Field(description="a is the control, b the best other arm.")]
    level: Annotated[
        Level, Field(description="L1: logged outcomes; L2: a metric of the task. As given.")
    ]
    summary: Annotated[str, Field(description="The finding in one or two sentences.")]
    may_conclude: Annotated[tuple[str, ...], Field(description="What the data support.")] = ()
    may_not_conclude: Annotated[tuple[str, ...], Field(description="What they do not.")] = ()
    method: Annotated[str, Field(description="The method used.")]
    is_monitored: Annotated[bool, Field(description="Whether it is valid at every look.")]
    alpha: Annotated[float, Field(description="Chance of a false finding that is accepted.")]
    best_arm: Annotated[str | None, Field(description="Shown better than the control.")] = None
    arms: Annotated[tuple[ArmSummary, ...], Field(description="Control first.")] = ()
    comparisons: Annotated[tuple[Comparison, ...], Field(description="Each against it.")] = ()
    checks: Annotated[tuple[Check, ...], Field(description="Is the experiment sound?")] = ()
    guards: Annotated[tuple[Guard, ...], Field(description="Other columns.")] = ()
    variance_removed: Annotated[
        float | None, Field(description="Share of variance that the covariate took (CUPED).")
    ] = None
    looks: Annotated[
        tuple[Look, ...], Field(description="Of the best other arm, at most 20; monitored only.")
    ] = ()
    over_time: Annotated[
        tuple[Stretch, ...], Field(description="Effect by time, with a column of time.")
    ] = ()
    trend_p: Annotated[float | None, Field(description="That the effect is constant.")] = None
    plan: Annotated[Plan | None, Field(description="Without data: the plan.")] = None
    next_steps: Annotated[tuple[str, ...], Field(description="What to do, in this order.")] = ()
    notices: Annotated[tuple[str, ...], Field(description="What to know of how it came.")] = ()
