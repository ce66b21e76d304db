"""What kind of value the references and values of a specification have, before anything runs."""

from collections.abc import Collection, Mapping
from typing import Any

from ml_orchestrator.orchestration.pipelines.kinds import (
    ANYTHING,
    Kind,
    kind_of_model,
    kind_of_plain,
    list_of,
    of_param,
)
from ml_orchestrator.orchestration.pipelines.models import PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.references import Reference, references_in
from ml_orchestrator.orchestration.pipelines.usable import given_by

__all__ = ["Inferred"]


class Inferred:
    """The kinds of one specification; of a step that is not among ``known``, anything."""

    def __init__(self, spec: PipelineSpec, known: Collection[str]) -> None:
        self._spec = spec
        self._known = known

    def of_reference(self, reference: Reference, step: StepSpec | None) -> Kind | str:
        """Return what a reference gives, or why there is no such thing.

        Args:
            reference: names a step and a parameter that may not be there.
            step: in which it stands, for what an item is; None where there is no item.
        """
        match reference.root:
            case "run":
                return of_param("text")
            case "item":
                return self._item(step).at(reference.path)
            case "params":
                found = self._spec.params.get(reference.name)
                kind = ANYTHING if found is None else of_param(found.type)
                return kind.at(reference.path)
        return self._output(reference.name).at(reference.path)

    def of_value(self, value: Any, step: StepSpec | None) -> Kind:
        """Return the kind of a value that may hold references; ``step`` as above.

        Raises:
            InvalidInputError: something looks like a reference and is none.
        """
        if isinstance(value, str):
            references = list(references_in(value))
            if len(references) == 1 and value == str(references[0]):
                found = self.of_reference(references[0], step)
                return ANYTHING if isinstance(found, str) else found
        if isinstance(value, list):
            kinds = [self.of_value(each, step) for each in value]
            same = kinds and all(kind == kinds[0] for kind in kinds)
            return list_of(kinds[0] if same else ANYTHING)
        if isinstance(value, Mapping):
            return of_param("mapping")
        return kind_of_plain(value)

    def _output(self, name: str) -> Kind:
        step = self._spec.steps.get(name)
        if step is None or name not in self._known:
            return ANYTHING
        kind = kind_of_model(given_by(step.uses))
        return kind if step.for_each is None else list_of(kind)

    def _item(self, step: StepSpec | None) -> Kind:
        if step is None or not isinstance(step.for_each, str):
            return ANYTHING
        return self.of_value(step.for_each, None).entries or ANYTHING
