"""What was found, in words a person can act on."""

from collections.abc import Sequence

from ml_orchestrator.evaluation.patterns.models import Effect, Status

__all__ = ["pattern_sentence", "report_sentences"]

MOST_HELD = 3  # named; more are counted


def pattern_sentence(
    name: str,
    status: Status,
    tested: Effect | None,
    replication: Effect | None,
    *,
    is_binary: bool,
    held: Sequence[str] = (),
) -> str:
    """Return one pattern's finding; ``held``: what its effect is told beside, likeliest first."""
    if tested is None:
        return f"{name}: proposed, but too few other cases hold it to test it."
    if status == "selected" or replication is None:
        return f"{name}: not confirmed ({_shown(tested, is_binary)}); treat it as chance."
    beside = _beside(held)
    if status == "confirmed":
        return (
            f"{name}: confirmed ({_shown(tested, is_binary)}{beside}), not replicated "
            f"({_shown(replication, is_binary)}); a lead, not yet a finding."
        )
    return f"{name}: {_shown(replication, is_binary)}{beside} on untouched cases; replicated."


def _beside(held: Sequence[str]) -> str:
    """Return what an effect is conditional on, as a part of a sentence; empty where nothing is."""
    if not held:
        return ""
    n_more = len(held) - MOST_HELD
    more = [f"{n_more} other patterns" if n_more > 1 else "another pattern"] if n_more > 0 else []
    *first, last = [*(f"'{name}'" for name in held[:MOST_HELD]), *more]
    told = f"{', '.join(first)} and {last}" if first else last
    return f", with {told} held as they are," if first else f", with {told} held as it is,"


def report_sentences(
    *,
    sizes: Sequence[int],
    n_candidates: int,
    n_selected: int,
    n_confirmed: int,
    n_replicated: int,
    interval: tuple[float, float],
    fdr: float,
    detectable: float,
    is_binary: bool,
) -> str:
    """Return what may be concluded from all of it."""
    least = _points(detectable) if is_binary else f"{detectable:.3g}"
    smaller = (
        f"An effect of {least} in every tenth case would be found 8 times in 10 if its pattern is "
        "one of those looked at (up to three features, numbers in a set cut at their median; a "
        "number alone at its ends and in ranges too); smaller ones are often missed."
    )
    was = "was" if n_selected == 1 else "were"
    if n_confirmed == 0:
        return (
            f"No pattern holds: of {n_candidates:,} looked at, {n_selected} {was} selected on "
            f"{sizes[0]:,} cases and none was confirmed on {sizes[1]:,} others. {smaller}"
        )
    return (
        f"Of {n_candidates:,} patterns looked at, {n_selected} {was} selected on {sizes[0]:,} "
        f"cases, {n_confirmed} confirmed on {sizes[1]:,} others (at most {fdr:.0%} of these false, "
        f"on average) and {n_replicated} of them replicated on {sizes[2]:,} untouched ones (95 % "
        f"interval of that share: {interval[0]:.0%} to {interval[1]:.0%}). What holds goes with "
        f"the recorded outcome; whether it causes it, only an experiment shows. {smaller}"
    )


def _shown(effect: Effect, is_binary: bool) -> str:
    if is_binary:
        middle, low, high = (100 * value for value in (effect.effect, effect.low, effect.high))
        return f"{middle:+.1f} points, {low:+.1f} to {high:+.1f}"
    return f"{effect.effect:+.3g}, {effect.low:+.3g} to {effect.high:+.3g}"


def _points(effect: float) -> str:
    return f"{100 * effect:.1f} points"
