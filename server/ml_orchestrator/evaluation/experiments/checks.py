"""Whether an experiment is sound enough to conclude anything."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, Experiment, mean_of
from ml_orchestrator.evaluation.experiments.first_look import LEAST_UNITS, MEAN_TAU_SDS, RATE_TAU
from ml_orchestrator.evaluation.experiments.models import Check
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.numerics.binning import PairedCounts
from ml_orchestrator.numerics.chi_square import chi_square_homogeneity
from ml_orchestrator.numerics.mean_tests import SampleMean, welch_t
from ml_orchestrator.numerics.mixture_sprt import log_e_value
from ml_orchestrator.numerics.sample_ratio import log_e_sizes, sizes_p_value

__all__ = ["check_balance", "check_experiment", "outlier_notices"]

UNSOUND = 0.001  # so rare that it is not chance: a check is no finding, and is made every time
SURPRISING = 0.05  # rarer than this is said, and is nothing more
FAR_SDS = 6.0
TAIL = 0.005
MOST_CHANGED = 0.5  # share of the effect


def check_experiment(
    experiment: Experiment, options: ExperimentOptions, units: NDArray[np.int64] | None = None
) -> list[Check]:
    """Return the checks of sizes, missing outcomes and units; `Check` says what failing means.

    Args:
        experiment: the arms.
        options: how it is judged; where monitored, checks hold at every look too.
        units: whose row each of the table is, shape ``(n_rows,)``; None where rows stand alone.

    Raises:
        InvalidInputError: planned shares do not name the arms.
    """
    found = [_sample_ratio(experiment.arms, options)]
    if any(arm.n_missing for arm in experiment.arms):
        found.append(_missing(experiment, options, units))
    if options.unit is not None:
        n = experiment.n_shared_units
        found.append(
            Check(
                name="one_arm_per_unit",
                is_passed=n == 0,
                detail="Every unit is in one arm."
                if n == 0
                else f"{n:,} units have rows in several arms, so what an arm did cannot be told.",
            )
        )
    return found


def check_balance(
    name: str,
    covariates: Sequence[NDArray[np.float64]],
    arms: Sequence[Arm],
    options: ExperimentOptions,
) -> Check:
    """Return whether a covariate of the time before is alike in every arm, counted by units."""
    samples = [mean_of(x, arm.units) for x, arm in zip(covariates, arms, strict=True)]
    early = np.concatenate([x[:LEAST_UNITS] for x in covariates])
    tau = MEAN_TAU_SDS * float(early.std()) if options.is_sequential else None
    p_values = [_p_alike(samples[0], other, tau) for other in samples[1:]]
    p_value = min(1.0, min(p_values) * len(p_values))
    is_passed = p_value >= UNSOUND
    worst = arms[1 + int(np.argmin(p_values))].name
    return Check(
        name="covariate_balance",
        is_passed=is_passed,
        p_value=p_value,
        detail=f"{name} is alike in all arms."
        if is_passed
        else f"{name} differs between {arms[0].name!r} and {worst!r} (p = {p_value:.2g}): it is "
        "not of the time before, or arms were not drawn at random.",
    )


def outlier_notices(arms: Sequence[Arm]) -> list[str]:
    """Return a warning where a few far values carry the effect."""
    if any(arm.values is None or arm.counts is not None for arm in arms):
        return []
    everything = np.concatenate([arm.rows() for arm in arms])
    n_far = int(
        np.count_nonzero(np.abs(everything - everything.mean()) > FAR_SDS * everything.std())
    )
    if not n_far:
        return []
    low, high = np.quantile(everything, [TAIL, 1 - TAIL])
    clipped = [float(np.clip(arm.rows(), low, high).mean()) for arm in arms]
    found = [f"{n_far:,} values are more than {FAR_SDS:g} standard deviations from the mean."]
    for arm, mean in zip(arms[1:], clipped[1:], strict=True):
        effect = arm.sample.mean - arms[0].sample.mean
        tamed = mean - clipped[0]
        if abs(tamed - effect) > MOST_CHANGED * abs(effect):
            found.append(
                f"They carry the effect of {arm.name!r}: {effect:.4g}, but {tamed:.4g} with the "
                "outer 0.5 % of values drawn in. Look at them; mann_whitney is less moved by them."
            )
    return found


def _sample_ratio(arms: Sequence[Arm], options: ExperimentOptions) -> Check:
    sizes = [arm.n_units for arm in arms]
    shares = _planned_shares(arms, options.shares)
    said = ", ".join(f"{arm.name} {arm.n_units:,}" for arm in arms)
    p_value = sizes_p_value(sizes, shares)
    is_passed = p_value >= UNSOUND
    if options.is_sequential:
        e_value = log_e_sizes(sizes, shares)
        is_passed, p_value = e_value < -math.log(UNSOUND), math.exp(min(0.0, -e_value))
    near = f"Sizes are as planned ({said})."
    if p_value < SURPRISING:
        near = (
            f"Sizes differ from the plan ({said}; p = {p_value:.2g}), but by too little to be "
            f"called a mismatch, which is p below {UNSOUND:g}."
        )
    detail = (
        near
        if is_passed
        else f"Sizes are not as planned ({said}; p = {p_value:.2g}): units were lost or sent to "
        "the wrong arm, and those that are left need not be alike."
    )
    return Check(name="sample_ratio", is_passed=is_passed, p_value=p_value, detail=detail)


def _planned_shares(arms: Sequence[Arm], shares: Mapping[str, float]) -> list[float]:
    if not shares:
        return [1.0] * len(arms)
    names = [arm.name for arm in arms]
    if set(shares) != set(names) or not all(
        math.isfinite(share) and share > 0 for share in shares.values()
    ):
        raise InvalidInputError(
            f"shares must give each arm a weight above 0; the arms are {', '.join(names)}, and "
            f"found {dict(shares)}."
        )
    return [shares[name] for name in names]


def _missing(
    experiment: Experiment, options: ExperimentOptions, units: NDArray[np.int64] | None
) -> Check:
    arms = experiment.arms
    if options.is_sequential or units is not None:
        parts = [
            (np.isin(every, kept, invert=True).astype(np.float64), every)
            for every, kept in zip(experiment.all_rows, experiment.rows, strict=True)
        ]
        samples = [mean_of(x, None if units is None else units[rows]) for x, rows in parts]
        tau = RATE_TAU if options.is_sequential else None
        p_values = [_p_alike(samples[0], other, tau) for other in samples[1:]]
    else:
        p_values = [_p_missing(arms[0], other) for other in arms[1:]]
    p_value = min(1.0, min(p_values) * len(p_values))
    said = ", ".join(f"{a.name} {a.n_missing / (a.n_missing + a.n):.1%}" for a in arms)
    is_passed = p_value >= UNSOUND
    detail = (
        f"Outcomes are missing alike ({said}); those rows are left out."
        if is_passed
        else f"Outcomes are missing unlike in the arms ({said}; p = {p_value:.2g}), so what is "
        "left is not comparable. If missing means that it did not happen, write 0."
    )
    return Check(name="missing_outcomes", is_passed=is_passed, p_value=p_value, detail=detail)


def _p_missing(a: Arm, b: Arm) -> float:
    counts = PairedCounts(np.array([a.n_missing, a.n]), np.array([b.n_missing, b.n]))
    return chi_square_homogeneity(counts).p_value


def _p_alike(first: SampleMean, other: SampleMean, tau: float | None) -> float:
    """Return the p value of equal means; with a mixture's width, one valid at every look."""
    found = welch_t(first, other)
    if tau is None:
        return found.p_value()
    if min(first.n, other.n) < LEAST_UNITS or min(tau, first.variance, other.variance) == 0:
        return 1.0  # too early to tell
    return math.exp(min(0.0, -log_e_value(found.estimate, found.standard_error**2, tau=tau)))
