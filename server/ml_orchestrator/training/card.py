"""A model card in Markdown (M. Mitchell et al., Model cards for model reporting, 2019)."""

from collections.abc import Iterable, Iterator, Sequence

from ml_orchestrator.training.models import Refinement, TrainingSpec, TrainingSummary

__all__ = ["model_card"]

N_FEATURES = 40
STEPS = {
    "average": "Average of several models",
    "calibration": "Calibration of probabilities",
    "threshold": "Decision threshold",
}


def model_card(spec: TrainingSpec, summary: TrainingSummary, *, about: str) -> str:
    """Return the card: what the model is, from what, how good, where not, and how it was made.

    Everything in it was measured or asked for; ``about`` describes the data set. What the model
    is meant for and whom it may harm is left to people, and said so.
    """
    sections = (_what, _data, _quality, _limits, _making)
    blocks = [block for section in sections for block in section(spec, summary, about)]
    return "\n\n".join([f"# Model card: {_text(summary.target)}", *blocks]) + "\n"


def _what(spec: TrainingSpec, summary: TrainingSummary, about: str) -> Iterator[str]:
    yield "## What it is"
    classes = f" Classes: {_listed(summary.classes)}." if summary.classes else ""
    yield f"Predicts {_code(summary.target)} ({summary.task}).{classes}"
    rows = [
        [member.trainer, f"{member.weight:.3g}", f"{member.cv_score:.4g}", _settings(member.params)]
        for member in summary.members
    ]
    score = f"{summary.metric}, cross-validated"
    yield _table(["Family", "Weight", score, "Hyperparameters"], rows)
    if summary.feature_notes:
        yield "\n".join(f"- {_text(note)}" for note in summary.feature_notes)
    if summary.threshold is not None:
        second = _code(summary.classes[1])
        yield f"{second} is predicted from a probability of {summary.threshold:.4g} on."


def _data(spec: TrainingSpec, summary: TrainingSummary, about: str) -> Iterator[str]:
    yield "## Data"
    yield f"{_code(spec.source)}: {_text(about)} SHA-256 {_code(summary.dataset_digest)}."
    how = "drawn at random"
    if spec.time_column:
        how = f"the latest by {_code(spec.time_column)}"
    elif spec.group_column:
        how = f"whole groups of {_code(spec.group_column)}"
    yield (
        f"{summary.n_rows_train:,} rows to train on and {summary.n_rows_test:,} held out ({how}), "
        f"{len(summary.features)} columns: {_listed(summary.features)}."
    )


def _quality(spec: TrainingSpec, summary: TrainingSummary, about: str) -> Iterator[str]:
    yield "## How good it is"
    yield "On the held-out rows, which neither search nor any choice looked at:"
    rows = [
        [
            name,
            f"{found.estimate:.4g}",
            f"{found.low:.4g} to {found.high:.4g}",
            *(
                f"{known[name]:.4g}" if name in known else ""
                for known in summary.baselines.values()
            ),
        ]
        for name, found in summary.holdout.items()
    ]
    names = [f"Baseline: {name}" for name in summary.baselines]
    yield _table(["Metric", "Estimate", "95 % interval", *names], rows)
    if (over := summary.baseline_gain) is not None:
        shown = "better" if over.low > 0 else "not shown to be better"
        yield (
            f"By {summary.metric} the model is {shown} than the strongest baseline, "
            f"{summary.strongest_baseline}: gain {over.estimate:.3g} ({over.low:.3g} to "
            f"{over.high:.3g}, 90 %) on the same rows."
        )
    if summary.importances:
        yield f"What it relies on ({summary.metric} lost when a column is shuffled):"
        rows = [
            [_code(entry.feature), f"{entry.loss:.3g}", f"{entry.std:.2g}"]
            for entry in summary.importances
        ]
        yield _table(["Column", "Loss", "Deviation"], rows)


def _limits(spec: TrainingSpec, summary: TrainingSummary, about: str) -> Iterator[str]:
    yield "## Limits"
    yield (
        f"Of {summary.n_slices} parts of the held-out rows these are the worst; intervals hold "
        "for all parts together:"
        if summary.slices
        else f"Of {summary.n_slices} parts of the held-out rows none is worse than the rest."
    )
    if summary.slices:
        rows = [
            [
                _code(part.column),
                _text(part.value),
                str(part.excess.n),
                f"{part.loss:.3g}",
                f"{part.excess.estimate:.3g} ({part.excess.low:.3g} to {part.excess.high:.3g})",
                f"{part.p_adjusted:.2g}",
            ]
            for part in summary.slices
        ]
        yield _table(
            ["Column", "Value", "Rows", "Loss", "Above the rest", "Adjusted p value"], rows
        )
    yield "\n".join(
        f"- {_text(limit)}"
        for limit in (
            *summary.warnings,
            "It is tested on rows like these only; drift_check tells when new ones differ.",
            "What it may be used for, and whom its mistakes harm, nobody has written here yet.",
        )
    )


def _making(spec: TrainingSpec, summary: TrainingSummary, about: str) -> Iterator[str]:
    yield "## How it was made"
    yield (
        f"{summary.n_trials} trials ({summary.n_complete} complete, {summary.n_pruned} pruned, "
        f"{summary.n_failed} failed) in {summary.seconds:.0f} s, {spec.n_folds} folds, seed "
        f"{summary.seed}, ended by {summary.stopped_by}."
    )
    if summary.front:
        yield from _several(summary)
    if summary.refinements:
        yield (
            "Tried on out-of-fold answers. An average is used unless the whole 90 % interval of "
            "its gain is below 0, the other steps only if it is above 0:"
        )
        yield _table(["Step", "Used", "Gain", "Interval"], map(_refined, summary.refinements))


def _several(summary: TrainingSummary) -> Iterator[str]:
    yield f"Models that none beats in everything. {_text(summary.choice)}"
    rows = [
        [
            point.trainer,
            f"{point.cv_score:.4g}",
            "" if point.latency_row_s is None else f"{point.latency_row_s:.3g}",
            "" if point.size_bytes is None else f"{point.size_bytes:,.0f}",
            "yes" if point.is_chosen else "",
        ]
        for point in summary.front
    ]
    yield _table(["Family", summary.metric, "Latency, s a row", "Size, bytes", "Taken"], rows)
    takes = ", ".join(f"{name} {value:.3g}" for name, value in summary.costs.items())
    yield (
        f"The model handed over takes: {takes}. Latency is the median of seven predictions of up "
        "to 200 rows on the machine that trained, and differs between runs; so may the trials."
    )


def _refined(entry: Refinement) -> list[str]:
    gain = f"{entry.gain:.3g} {entry.metric}"
    used = "yes" if entry.is_used else "no"
    return [STEPS[entry.step], used, gain, f"{entry.low:.3g} to {entry.high:.3g}"]


def _settings(params: dict[str, int | float | str]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in params.items()
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - N_FEATURES} more" if len(names) > N_FEATURES else ""
    return ", ".join(map(_code, names[:N_FEATURES])) + more


def _code(text: str) -> str:
    return f"`{_text(text).replace('`', chr(39))}`"


def _text(text: str) -> str:
    """Return foreign text on one line that cannot end a table or open a tag."""
    plain = "".join(c if c.isprintable() else " " for c in text[:500])
    return plain.replace("|", "/").replace("<", "(").replace(">", ")")
