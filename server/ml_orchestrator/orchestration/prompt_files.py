"""Prompts, recorded scores and examples, read from files inside the allowed roots."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.optimization.reflective.models import Example
from ml_orchestrator.optimization.search.models import RuleScore
from ml_orchestrator.settings import Settings

__all__ = ["read_examples", "read_prompts", "read_scores"]


def read_prompts(settings: Settings, source: str) -> list[str]:
    """Return the column ``prompt`` of a file.

    Raises:
        InvalidInputError: it has no such column.
        NotFoundError: there is no such file.
    """
    return [str(row["prompt"] or "") for row in _rows(settings, source, ["prompt"])]


def read_scores(settings: Settings, source: str) -> list[RuleScore]:
    """Return recorded scores: columns ``prompt`` (an id), ``rules`` (joined by +), ``score``.

    A rule with ``>`` before its name ran first. A column ``latency_ms`` is read if there is one.

    Raises:
        InvalidInputError: a column lacks, or a row is no score of 0 to 1.
        NotFoundError: there is no such file.
    """
    return [
        _checked(
            RuleScore,
            source,
            number,
            {
                "prompt": str(row["prompt"]),
                "rules": [name for name in str(row["rules"] or "").split("+") if name],
                "score": row["score"],
                "latency_ms": row.get("latency_ms"),
            },
        )
        for number, row in enumerate(_rows(settings, source, ["prompt", "rules", "score"]), 1)
    ]


def read_examples(settings: Settings, source: str) -> list[Example]:
    """Return examples: column ``input``, and if there are any ``id``, ``expected``, ``split``.

    Raises:
        InvalidInputError: a column lacks, or a row is no example.
        NotFoundError: there is no such file.
    """
    return [
        _checked(
            Example,
            source,
            number,
            {
                "id": str(row.get("id") or f"e{number}"),
                "input": str(row["input"] or ""),
                "expected": None if row.get("expected") is None else str(row["expected"]),
                "split": row.get("split"),
            },
        )
        for number, row in enumerate(_rows(settings, source, ["input"]), 1)
    ]


def _rows(settings: Settings, source: str, needed: Sequence[str]) -> list[dict[str, Any]]:
    frame = load_dataset(source, roots=settings.roots, max_bytes=settings.max_data_bytes).frame
    if lacking := [name for name in needed if name not in frame.columns]:
        raise InvalidInputError(
            f"{source} has no column {', '.join(lacking)}; it has {', '.join(frame.columns[:20])}."
        )
    return frame.to_dicts()


def _checked(model: Any, source: str, number: int, values: dict[str, Any]) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        fault = faults_of(error.errors()[:1])
        raise InvalidInputError(f"{source}, row {number}, {fault}.") from error
