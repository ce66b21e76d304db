"""Checking the inputs of the steps of a pipeline against what each step takes."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.faults import faults_of, near
from ml_orchestrator.orchestration.pipelines.cache import BUILTIN, is_file_field
from ml_orchestrator.orchestration.pipelines.findings import Findings
from ml_orchestrator.orchestration.pipelines.inferring import Inferred
from ml_orchestrator.orchestration.pipelines.kinds import ANYTHING, Kind, kind_of_model, shown
from ml_orchestrator.orchestration.pipelines.models import PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.references import (
    Reference,
    Scope,
    references_in,
    resolved,
)
from ml_orchestrator.orchestration.pipelines.usable import taken_by

__all__ = ["InputCheck"]

_SCALARS = Kind(frozenset({"text", "integer", "number", "boolean"}))


class InputCheck:
    """Names what is wrong with the inputs of steps that are known.

    Args:
        spec: the specification, its form checked.
        params: the values of a run; None where only the specification is looked at.
        roots: folders that files may be read from.
        inferred: the kinds of what the specification refers to.
        found: takes what is found.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        params: Mapping[str, Any] | None,
        roots: Sequence[Path],
        inferred: Inferred,
        found: Findings,
    ) -> None:
        self._spec = spec
        self._params = params
        self._roots = roots
        self._inferred = inferred
        self._found = found

    def look(self, name: str, step: StepSpec) -> None:
        """Look at all inputs of one step."""
        model, place = taken_by(step.uses), f"steps.{name}.with"
        fields = model.model_fields
        for unknown in [key for key in step.with_ if key not in fields]:
            self._found.fault(
                f"{place}.{unknown}: {step.uses!r} takes no such input{near(unknown, fields)}; "
                f"it takes: {', '.join(fields) or 'nothing'}"
            )
        missing = [key for key, f in fields.items() if f.is_required() and key not in step.with_]
        if missing:
            self._found.fault(f"{place}: missing {', '.join(missing)}, which {step.uses!r} needs")
        wanted = kind_of_model(model)
        for key in [key for key in step.with_ if key in fields]:
            self._look_at(name, step, key, wanted.fields.get(key, ANYTHING))

    def _look_at(self, name: str, step: StepSpec, key: str, wanted: Kind) -> None:
        place, value = f"steps.{name}.with.{key}", step.with_[key]
        try:
            value = self._with_params(value)
            references = list(references_in(value))
            given = self._inferred.of_value(value, step)
        except InvalidInputError:
            return  # named with the references
        if not references:
            self._look_at_plain(place, step, key, value)
            return
        for reference in references:
            found = self._inferred.of_reference(reference, step)
            is_inside = isinstance(value, str) and value != str(reference)
            if is_inside and isinstance(found, Kind) and (misfit := found.misfit(_SCALARS)):
                self._found.fault(f"{place}: {reference} stands inside text and {misfit}")
        if misfit := given.misfit(wanted):
            self._found.fault(f"{place}: {_shown(value)} {misfit}")
        elif "null" not in wanted.names:
            self._warn_of_null(place, references, given, wanted)

    def _look_at_plain(self, place: str, step: StepSpec, key: str, value: Any) -> None:
        model = taken_by(step.uses)
        if fault := _field_fault(model, key, _plain(value)):
            self._found.fault(f"{place}: {fault}")
        elif is_file_field(model, key) and isinstance(value, str):
            self._look_for_file(place, value)

    def _look_for_file(self, place: str, source: str) -> None:
        """Refuse a path that may never be read; one that is not there yet is a doubt."""
        if source.startswith(BUILTIN):
            return
        try:
            resolve_allowed(source, self._roots)
        except NotFoundError as error:
            self._found.warn(f"{place}: {error}")
        except InvalidInputError as error:
            self._found.fault(f"{place}: {error}")

    def _warn_of_null(
        self, place: str, references: list[Reference], given: Kind, wanted: Kind
    ) -> None:
        skippable = [
            r.name
            for r in references
            if r.root == "steps" and r.name in self._spec.steps and self._spec.steps[r.name].when
        ]
        if given.may_be_null():
            self._found.warn(
                f"{place} may be null, and {shown(wanted)} is wanted; the step fails then"
            )
        elif skippable and wanted.names != ANYTHING.names:
            self._found.warn(
                f"{place} is null where {', '.join(skippable)} is skipped by its condition"
            )

    def _with_params(self, value: Any) -> Any:
        """Return a value with parameters put in, where their values are known."""
        params = self._params
        if params is None:
            return value
        if isinstance(value, Mapping):
            return {key: self._with_params(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._with_params(inner) for inner in value]
        references = list(references_in(value))
        is_known = references and all(r.root == "params" and r.name in params for r in references)
        return resolved(value, Scope(params, {})) if is_known else value


def _field_fault(model: type[BaseModel], key: str, value: Any) -> str | None:
    """Return what is wrong with a plain value for one field."""
    try:
        _field(model, key).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return f"{faults_of(error.errors()[:3])} (found {json.dumps(value)[:80]})"
    return None


@functools.cache
def _field(model: type[BaseModel], key: str) -> TypeAdapter[Any]:
    return TypeAdapter(model.model_fields[key].rebuild_annotation())


def _plain(value: Any) -> Any:
    """Return a value without references, its ``$${`` as the text it stands for."""
    return resolved(value, Scope({}, {}))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)[:80]
