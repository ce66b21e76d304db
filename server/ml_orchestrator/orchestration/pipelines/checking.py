"""Checking a pipeline before anything starts: every fault is named at once, doubts are warnings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import near
from ml_orchestrator.orchestration.pipelines.contents import ContentCheck
from ml_orchestrator.orchestration.pipelines.findings import Findings
from ml_orchestrator.orchestration.pipelines.graph import cycles_in, needs_of, references_of
from ml_orchestrator.orchestration.pipelines.inferring import Inferred
from ml_orchestrator.orchestration.pipelines.inputs import InputCheck
from ml_orchestrator.orchestration.pipelines.kinds import of_param
from ml_orchestrator.orchestration.pipelines.models import (
    APPROVAL,
    MAX_ITEMS,
    PipelineSpec,
    StepSpec,
)
from ml_orchestrator.orchestration.pipelines.references import Reference, references_in
from ml_orchestrator.orchestration.pipelines.usable import signature_of, usable_steps
from ml_orchestrator.orchestration.steps import STEPS

__all__ = ["check_pipeline"]


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
        self._found = Findings()
        self._used_params: set[str] = set()
        self._known = {name for name, step in spec.steps.items() if self._is_usable(step)}
        self._inferred = Inferred(spec, self._known)
        self._inputs = InputCheck(spec, params, roots, self._inferred, self._found)
        self._contents = ContentCheck(spec, params, roots, self._found)

    def run(self) -> Findings:
        """Look at all of it."""
        for name, step in self._spec.steps.items():
            self._check_use(name, step)
            self._check_needs(name, step)
            self._check_references(name, step)
            self._check_fan_out(name, step)
            if name in self._known:
                self._inputs.look(name, step)
                self._contents.look(name, step)
        for cycle in cycles_in(needs_of(self._spec)):
            self._found.fault(f"the steps need each other in a circle: {' -> '.join(cycle)}")
        self._check_outputs()
        self._check_unused()
        return self._found

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
            self._found.fault(
                f"{place}.uses: {why} {step.uses!r}{near(step.uses, known)}; "
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
                    self._found.fault(f"{place}.{word}: a person's approval has none")
        elif step.cache and not signature_of(step.uses).is_pure:
            self._found.fault(
                f"{place}.cache: {step.uses!r} changes things outside its output, so an earlier "
                "output may not stand for it"
            )

    def _check_needs(self, name: str, step: StepSpec) -> None:
        for wanted in step.needs:
            if wanted not in self._spec.steps:
                similar = near(wanted, self._spec.steps)
                self._found.fault(f"steps.{name}.needs: there is no step {wanted!r}{similar}")

    def _check_references(self, name: str, step: StepSpec) -> None:
        try:
            references = references_of(step)
        except InvalidInputError as error:
            self._found.fault(f"steps.{name}: {error}")
            return
        for reference in references:
            self._check_reference(f"steps.{name}", reference, has_item=step.for_each is not None)
        for reference in references_in(step.for_each):
            if reference.root == "item":
                self._found.fault(f"steps.{name}.for_each: ${{item}} is known inside the step only")

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
                    self._found.fault(f"{place}: {reference} stands in a step without for_each")
                return
            case "run":
                return
        if reference.name not in known:
            kind = "parameter" if reference.root == "params" else "step"
            similar = near(reference.name, known)
            self._found.fault(
                f"{place}: {reference}: there is no {kind} {reference.name!r}{similar}"
            )
            return
        found = self._inferred.of_reference(reference, None)
        if isinstance(found, str):
            self._found.fault(f"{place}: {reference}: {found}")

    def _check_fan_out(self, name: str, step: StepSpec) -> None:
        if isinstance(step.for_each, list) and len(step.for_each) > MAX_ITEMS:
            n_items = len(step.for_each)
            self._found.fault(f"steps.{name}.for_each: {n_items} entries; at most {MAX_ITEMS}")
        if not isinstance(step.for_each, str):
            return
        try:
            found = self._inferred.of_value(step.for_each, None)
        except InvalidInputError:
            return  # named with the references
        if misfit := found.misfit(of_param("list")):
            self._found.fault(f"steps.{name}.for_each: {step.for_each} {misfit}")

    def _check_outputs(self) -> None:
        for key, value in (self._spec.outputs or {}).items():
            try:
                references = list(references_in(value))
            except InvalidInputError as error:
                self._found.fault(f"outputs.{key}: {error}")
                continue
            for reference in references:
                self._check_reference(f"outputs.{key}", reference, has_item=False)

    def _check_unused(self) -> None:
        unused = [name for name in self._spec.params if name not in self._used_params]
        if unused:
            self._found.warn(f"parameters that nothing uses: {', '.join(unused)}")
