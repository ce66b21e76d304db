"""From what a caller gives to the plan of a run, with everything checked on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.orchestration.pipelines.checking import check_pipeline
from ml_orchestrator.orchestration.pipelines.graph import needs_of, ordered
from ml_orchestrator.orchestration.pipelines.models import (
    APPROVAL,
    MAX_ITEMS,
    PipelineSpec,
    digest_of,
    refuse,
    typed_spec,
)
from ml_orchestrator.orchestration.pipelines.readable import Readable, readable_part
from ml_orchestrator.orchestration.pipelines.reading import read_spec
from ml_orchestrator.orchestration.pipelines.usable import signature_of
from ml_orchestrator.program import program
from ml_orchestrator.settings import Settings

__all__ = ["FORM", "Planned", "plan_pipeline"]

FORM = 1  # of the plan that is stored; a worker carries out its own form only


@dataclass(frozen=True, slots=True)
class Planned:
    """A pipeline that may start."""

    spec: PipelineSpec
    params: dict[str, Any]
    digest: str
    order: list[str]
    versions: dict[str, int]
    warnings: list[str]

    @property
    def needs(self) -> dict[str, list[str]]:
        """What each step needs."""
        return needs_of(self.spec)

    @property
    def workflow(self) -> str:
        """How its runs are called in lists."""
        return f"pipeline:{self.spec.name}"

    @property
    def rights(self) -> list[str]:
        """The tools whose rights its steps need, each once."""
        used = {step.uses for step in self.spec.steps.values() if step.uses != APPROVAL}
        rights = {signature_of(name).right for name in used}
        return sorted(right for right in rights if right is not None)

    def stored(self) -> dict[str, Any]:
        """Return what a run keeps of it, as JSON values."""
        return {
            "form": FORM,
            "max_items": MAX_ITEMS,
            "needs": self.needs,
            "digest": self.digest,
            "spec": self.spec.plain(),
            "versions": self.versions,
            "warnings": self.warnings,
        }


def plan_pipeline(
    given: str | Mapping[str, Any],
    params: Mapping[str, Any] | None,
    settings: Settings,
) -> Planned:
    """Return a checked pipeline.

    Args:
        given: the specification: an object, YAML or JSON text, or a path inside the roots.
        params: values of its parameters; None checks the specification alone.
        settings: which roots there are.

    Raises:
        InvalidInputError: the message names every fault of form, graph, inputs and parameters.
        NotFoundError, PathNotAllowedError: the path leads nowhere, or out of the roots.
    """
    plain = read_spec(given, settings)
    spec, faults = typed_spec(plain)
    seen = readable_part(plain) if spec is None else Readable(spec)
    values, of_meaning = _values(seen.spec, params)
    known = None if params is None else _reliable(values, seen)
    findings = check_pipeline(seen.spec, known, roots=settings.roots)
    of_meaning += findings.faults
    faults += [each for each in of_meaning if not seen.is_gap(each)]
    if spec is None or faults:
        doubts = [each for each in findings.warnings if not seen.is_gap(each)]
        raise refuse(faults, doubts, seen.spec.name)
    used = sorted({s.uses for s in spec.steps.values() if s.uses != APPROVAL})
    return Planned(
        spec=spec,
        params=values,
        digest=digest_of(spec),
        order=ordered(needs_of(spec)),
        versions={name: signature_of(name).version for name in used},
        warnings=[*findings.warnings, *_of_schedule(spec)],
    )


def _values(
    spec: PipelineSpec, given: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters completed with defaults, and what is wrong with them."""
    values = {name: p.default for name, p in spec.params.items() if not p.is_required}
    if given is None:
        return values, []
    known = ", ".join(spec.params) or "none"
    faults = [f"params.{n}: unknown; known: {known}" for n in given if n not in spec.params]
    missing = [n for n, p in spec.params.items() if p.is_required and n not in given]
    faults += [f"params.{name}: must be given" for name in missing]
    for name, value in given.items():
        if name in spec.params and (fault := spec.params[name].fault(value)):
            faults.append(f"params.{name}: {fault}")
    return values | dict(given), faults


def _reliable(values: Mapping[str, Any], seen: Readable) -> dict[str, Any]:
    """Return the parameters of which nothing is wrong, so that what they lead to is checked."""
    declared = seen.spec.params
    return {
        name: value
        for name, value in values.items()
        if name in declared and seen.has_value(name) and not declared[name].fault(value)
    }


def _of_schedule(spec: PipelineSpec) -> list[str]:
    if spec.schedule is None:
        return []
    taken = f"`{program()} workflow schedule` took it"
    return [f"schedule {spec.schedule!r} counts once {taken}"]
