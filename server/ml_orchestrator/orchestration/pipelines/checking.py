"""Checking a pipeline before anything starts: every fault is named at once, doubts are warnings."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ml_orchestrator.datasets.paths import resolve_allowed
from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.orchestration.pipelines.cache import BUILTIN, is_file_field
from ml_orchestrator.orchestration.pipelines.graph import cycle_in, needs_of, references_of
from ml_orchestrator.orchestration.pipelines.kinds import (
    ANYTHING,
    Kind,
    kind_of_model,
    list_of,
    of_param,
    shown,
)
from ml_orchestrator.orchestration.pipelines.models import (
    APPROVAL,
    MAX_ITEMS,
    PipelineSpec,
    StepSpec,
)
from ml_orchestrator.orchestration.pipelines.references import Reference, Scope, references_in
from ml_orchestrator.orchestration.pipelines.references import resolved as resolve_all
from ml_orchestrator.orchestration.pipelines.usable import (
    given_by,
    signature_of,
    taken_by,
    usable_steps,
)
from ml_orchestrator.orchestration.steps import STEPS

__all__ = ["Findings", "check_pipeline"]

_SCALARS = Kind(frozenset({"text", "integer", "number", "boolean"}))


@dataclass(slots=True)
class Findings:
    """What was found; with a fault nothing may start."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_pipeline(
    spec: PipelineSpec, params: Mapping[str, Any] | None, *, roots: Sequence[Path]
) -> Findings:
    """Return every fault and warning of a pipeline.

    Args:
        spec: the specification, its form checked.
        params: the values of a run, completed with defaults; None where only the specification
            is looked at, so that what depends on values is left out.
        roots: folders that files may be read from.
    """
    return _Check(spec, params, roots).run()


class _Check:
    """One look at one pipeline."""

    def __init__(
        self, spec: PipelineSpec, params: Mapping[str, Any] | None, roots: Sequence[Path]
    ) -> None:
        self._spec = spec
        self._roots = roots
        self._params = params
        self._found = Findings()
        self._used_params: set[str] = set()
        self._needs = needs_of(spec)
        self._known = {name for name, step in spec.steps.items() if self._is_usable(step)}

    def run(self) -> Findings:
        """Look at all of it."""
        for name, step in self._spec.steps.items():
            self._check_use(name, step)
            self._check_needs(name, step)
            self._check_references(name, step)
            self._check_fan_out(name, step)
            if name in self._known:
                self._check_inputs(name, step)
        if cycle := cycle_in(self._needs):
            self._fault(f"the steps need each other in a circle: {' -> '.join(cycle)}")
        self._check_outputs()
        self._check_unused()
        return self._found

    def _fault(self, text: str) -> None:
        if text not in self._found.faults:
            self._found.faults.append(text)

    @staticmethod
    def _is_usable(step: StepSpec) -> bool:
        return step.uses == APPROVAL or step.uses in usable_steps()

    def _check_use(self, name: str, step: StepSpec) -> None:
        place = f"steps.{name}"
        if not self._is_usable(step):
            known = [*usable_steps(), APPROVAL]
            why = "no step"
            if step.uses in STEPS:
                why = "no step with typed inputs (only built-in workflows use it)"
            self._fault(
                f"{place}.uses: {why} {step.uses!r}{_near(step.uses, known)}; "
                f"known: {', '.join(sorted(known))}"
            )
            return
        if step.uses == APPROVAL:
            for word, is_there in (
                ("for_each", step.for_each is not None),
                ("retries", step.retries.max > 0),
                ("cache", step.cache),
            ):
                if is_there:
                    self._fault(f"{place}.{word}: a person's approval has none")
        elif step.cache and not signature_of(step.uses).is_pure:
            self._fault(
                f"{place}.cache: {step.uses!r} changes things outside its output, so an earlier "
                "output may not stand for it"
            )

    def _check_needs(self, name: str, step: StepSpec) -> None:
        for wanted in step.needs:
            if wanted not in self._spec.steps:
                near = _near(wanted, self._spec.steps)
                self._fault(f"steps.{name}.needs: there is no step {wanted!r}{near}")

    def _check_references(self, name: str, step: StepSpec) -> None:
        try:
            references = references_of(step)
        except InvalidInputError as error:
            self._fault(f"steps.{name}: {error}")
            return
        for reference in references:
            self._check_reference(f"steps.{name}", reference, has_item=step.for_each is not None)
        for reference in references_in(step.for_each):
            if reference.root == "item":
                self._fault(f"steps.{name}.for_each: ${{item}} is known inside the step only")

    def _check_reference(self, place: str, reference: Reference, *, has_item: bool) -> None:
        known: Iterable[str] = ()
        match reference.root:
            case "params":
                known = self._spec.params
                self._used_params.add(reference.name)
            case "steps":
                known = self._spec.steps
            case "item":
                if not has_item:
                    self._fault(f"{place}: {reference} stands in a step without for_each")
                return
            case "run":
                return
        if reference.name not in known:
            kind = "parameter" if reference.root == "params" else "step"
            near = _near(reference.name, known)
            self._fault(f"{place}: {reference}: there is no {kind} {reference.name!r}{near}")
            return
        found = self._kind_of(reference, None)
        if isinstance(found, str):
            self._fault(f"{place}: {reference}: {found}")

    def _kind_of(self, reference: Reference, step: StepSpec | None) -> Kind | str:
        """Return what a reference gives, or why there is no such thing."""
        match reference.root:
            case "run":
                return of_param("text")
            case "item":
                return self._item_kind(step).at(reference.path)
            case "params":
                found = self._spec.params.get(reference.name)
                kind = ANYTHING if found is None else of_param(found.type)
                return kind.at(reference.path)
        return self._output_kind(reference.name).at(reference.path)

    def _output_kind(self, name: str) -> Kind:
        step = self._spec.steps.get(name)
        if step is None or name not in self._known:
            return ANYTHING
        kind = kind_of_model(given_by(step.uses))
        return kind if step.for_each is None else list_of(kind)

    def _item_kind(self, step: StepSpec | None) -> Kind:
        if step is None or not isinstance(step.for_each, str):
            return ANYTHING
        found = self._kind_of_value(step.for_each, step)
        return found.entries or ANYTHING

    def _kind_of_value(self, value: Any, step: StepSpec) -> Kind:
        if isinstance(value, str):
            references = list(references_in(value))
            if len(references) == 1 and value == str(references[0]):
                found = self._kind_of(references[0], step)
                return ANYTHING if isinstance(found, str) else found
            return of_param("text")
        if isinstance(value, list):
            kinds = [self._kind_of_value(each, step) for each in value]
            same = kinds and all(kind == kinds[0] for kind in kinds)
            return list_of(kinds[0] if same else ANYTHING)
        if isinstance(value, Mapping):
            return of_param("mapping")
        names = {bool: "boolean", int: "integer", float: "number", type(None): "null"}
        return of_param(names[type(value)])

    def _check_fan_out(self, name: str, step: StepSpec) -> None:
        if isinstance(step.for_each, list) and len(step.for_each) > MAX_ITEMS:
            n_items = len(step.for_each)
            self._fault(f"steps.{name}.for_each: {n_items} entries; at most {MAX_ITEMS}")
        if not isinstance(step.for_each, str):
            return
        try:
            found = self._kind_of_value(step.for_each, step)
        except InvalidInputError:
            return  # named with the references
        if misfit := found.misfit(of_param("list")):
            self._fault(f"steps.{name}.for_each: {step.for_each} {misfit}")

    def _check_inputs(self, name: str, step: StepSpec) -> None:
        model, place = taken_by(step.uses), f"steps.{name}.with"
        fields = model.model_fields
        for unknown in [key for key in step.with_ if key not in fields]:
            self._fault(
                f"{place}.{unknown}: {step.uses!r} takes no such input{_near(unknown, fields)}; "
                f"it takes: {', '.join(fields) or 'nothing'}"
            )
        missing = [key for key, f in fields.items() if f.is_required() and key not in step.with_]
        if missing:
            self._fault(f"{place}: missing {', '.join(missing)}, which {step.uses!r} needs")
        wanted = kind_of_model(model)
        for key in [key for key in step.with_ if key in fields]:
            self._check_input(name, step, key, wanted.fields.get(key, ANYTHING))

    def _check_input(self, name: str, step: StepSpec, key: str, wanted: Kind) -> None:
        place, value = f"steps.{name}.with.{key}", step.with_[key]
        try:
            value = self._with_params(value)
            references = list(references_in(value))
            given = self._kind_of_value(value, step)
        except InvalidInputError:
            return  # named with the references
        if not references:
            if fault := _field_fault(taken_by(step.uses), key, _plain(value)):
                self._fault(f"{place}: {fault}")
            elif is_file_field(taken_by(step.uses), key) and isinstance(value, str):
                self._check_file(place, value)
            return
        for reference in references:
            found = self._kind_of(reference, step)
            is_inside = isinstance(value, str) and value != str(reference)
            if is_inside and isinstance(found, Kind) and (misfit := found.misfit(_SCALARS)):
                self._fault(f"{place}: {reference} stands inside text and {misfit}")
        if misfit := given.misfit(wanted):
            self._fault(f"{place}: {_shown(value)} {misfit}")
        elif "null" not in wanted.names:
            self._warn_of_null(place, references, given, wanted)

    def _check_file(self, place: str, source: str) -> None:
        """Refuse a path that may never be read; one that is not there yet is a doubt."""
        if source.startswith(BUILTIN):
            return
        try:
            resolve_allowed(source, self._roots)
        except NotFoundError as error:
            self._found.warnings.append(f"{place}: {error}")
        except InvalidInputError as error:
            self._fault(f"{place}: {error}")

    def _warn_of_null(
        self, place: str, references: list[Reference], given: Kind, wanted: Kind
    ) -> None:
        skippable = [
            r.name
            for r in references
            if r.root == "steps" and r.name in self._spec.steps and self._spec.steps[r.name].when
        ]
        if given.may_be_null():
            self._found.warnings.append(
                f"{place} may be null, and {shown(wanted)} is wanted; the step fails then"
            )
        elif skippable and wanted.names != ANYTHING.names:
            self._found.warnings.append(
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
        return resolve_all(value, Scope(params, {})) if is_known else value

    def _check_outputs(self) -> None:
        for key, value in (self._spec.outputs or {}).items():
            try:
                references = list(references_in(value))
            except InvalidInputError as error:
                self._fault(f"outputs.{key}: {error}")
                continue
            for reference in references:
                self._check_reference(f"outputs.{key}", reference, has_item=False)

    def _check_unused(self) -> None:
        unused = [name for name in self._spec.params if name not in self._used_params]
        if unused:
            self._found.warnings.append(f"parameters that nothing uses: {', '.join(unused)}")


def _field_fault(model: type[BaseModel], key: str, value: Any) -> str | None:
    """Return what is wrong with a plain value for one field."""
    adapter: TypeAdapter[Any] = TypeAdapter(model.model_fields[key].rebuild_annotation())
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        faults = (
            ".".join(map(str, f["loc"])) + ": " * bool(f["loc"]) + str(f["msg"])
            for f in error.errors(include_url=False)[:3]
        )
        return f"{'; '.join(faults)} (found {json.dumps(value)[:80]})".replace("Value error, ", "")
    return None


def _plain(value: Any) -> Any:
    """Return a value without references, its ``$${`` as the text it stands for."""
    return resolve_all(value, Scope({}, {}))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)[:80]


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
