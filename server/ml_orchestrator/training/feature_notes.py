"""What a fitted model does to its columns, in sentences for its card."""

from collections.abc import Iterator
from typing import Any

from ml_orchestrator.training.model_parts import members_of, steps_on_columns
from ml_orchestrator.training.pair_features import PairFeatures
from ml_orchestrator.training.past import PastValues
from ml_orchestrator.training.screening import ShadowScreening

__all__ = ["feature_notes"]

MOST_NAMES = 12


def feature_notes(model: Any) -> tuple[str, ...]:
    """Return a sentence for each thing done beyond reading columns; of a blend, each once.

    ``model`` is a fitted pipeline or a blend of several.
    """
    notes = [note for pipeline in members_of(model) for note in _notes(pipeline)]
    return tuple(dict.fromkeys(notes))


def _notes(pipeline: Any) -> Iterator[str]:
    for step, _ in steps_on_columns(pipeline):
        if isinstance(step, PastValues):
            yield from _of_past(step)
        elif isinstance(step, PairFeatures):
            yield _of_pairs(step)
    screening = pipeline.named_steps.get("screening")
    if isinstance(screening, ShadowScreening):
        yield _of_screening(screening, pipeline.named_steps["columns"])


def _of_past(step: PastValues) -> Iterator[str]:
    if step.gives == "level":
        yield (
            f"It predicts the change of {step.target} since its last known value; where none is "
            "known, from the median of the rows it learnt from."
        )
        return
    seasons = f", seasons of {', '.join(map(str, step.seasons_))} steps" if step.seasons_ else ""
    yield (
        f"It looks back at {step.target} and {len(step.numbers_)} other columns, at what is "
        f"{step.horizon} steps old or older{seasons}. It knows the end of the series it was made "
        "from; rows sent together extend it where they say the target. Without a row's past it "
        "uses the medians of the past, and is worse than its score."
    )


def _of_pairs(step: PairFeatures) -> str:
    names = [str(name) for name in step.get_feature_names_out()[step.n_features_in_ :]]
    if not names:
        return "Products and ratios of columns were looked for; none tells more than chance would."
    return f"Products and ratios beside the columns: {_listed(names)}."


def _of_screening(step: ShadowScreening, columns: Any) -> str:
    names = [str(name) for name in step.get_feature_names_out(columns.get_feature_names_out())]
    plain = [name.partition("__")[2] or name for name in names[step.n_fixed :]]
    copies = "copies moved in time" if step.is_ordered else "shuffled copies"
    return (
        f"Of {step.n_features_in_ - step.n_fixed} columns made of the raw ones it keeps "
        f"{len(plain)}, which tell more than {copies}: {_listed(plain)}."
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
