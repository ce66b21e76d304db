"""Checking what inputs of steps name in data and catalogues: columns, trainers.

Only what is known before the start is looked at: values that are written down or are parameters, in
files that are there. A file that a step of another package might write first is doubted, and not
refused.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_orchestrator.datasets.sources import BUILTIN_PREFIX, load_dataset, load_head
from ml_orchestrator.errors import InvalidInputError, NotFoundError, UnavailableError
from ml_orchestrator.faults import near
from ml_orchestrator.orchestration.pipelines.findings import Findings
from ml_orchestrator.orchestration.pipelines.graph import needs_of
from ml_orchestrator.orchestration.pipelines.models import APPROVAL, PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.references import Scope, references_in, resolved
from ml_orchestrator.orchestration.steps import STEPS
from ml_orchestrator.orchestration.targets import resolve

__all__ = ["ContentCheck"]

HEAD_ROWS = 100
MOST_NAMES = 30
_OURS = "ml_orchestrator."
_TRAINERS = "ml_orchestrator.training.trainers:TRAINERS"  # loaded where a pipeline names one
# Of our steps: the inputs that name data, and those that name a column of them.
_DATA = {
    "profile": (("source",), ("target",)),
    "evaluate": (("source",), ("target",)),
    "check_drift": (("reference", "current"), ()),
    "train": (("source",), ("target", "time_column", "group_column", "weight_column")),
}


class ContentCheck:
    """Names columns and trainers that are not there.

    Args:
        spec: the specification, its form checked.
        params: the values of a run; None where only the specification is looked at.
        roots: folders that files may be read from.
        found: takes what is found.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        params: Mapping[str, Any] | None,
        roots: Sequence[Path],
        found: Findings,
    ) -> None:
        self._spec = spec
        self._params = params or {}
        self._found = found
        self._needs = needs_of(spec)
        self._columns = functools.cache(lambda source: _columns_of(source, roots))

    def look(self, name: str, step: StepSpec) -> None:
        """Look at one step, which may be any that is known; each item of a written list."""
        if step.uses not in _DATA:
            return
        for item in self._items(step):
            given = {
                key: value
                for key in step.with_
                if (value := self._known(step.with_[key], item)) is not _UNKNOWN
            }
            self._look_at_columns(name, step, given)
            self._look_at_trainers(name, given.get("trainers"))

    def _items(self, step: StepSpec) -> list[Any]:
        if step.for_each is None:
            return [_UNKNOWN]
        items = self._known(step.for_each, _UNKNOWN)
        return items if isinstance(items, list) else [_UNKNOWN]

    def _known(self, value: Any, item: Any) -> Any:
        """Return a value with its references replaced, or that it is not known yet."""
        try:
            for reference in references_in(value):
                is_param = reference.root == "params" and reference.name in self._params
                if not is_param and not (reference.root == "item" and item is not _UNKNOWN):
                    return _UNKNOWN
            return resolved(value, Scope(self._params, {}, item=item))
        except InvalidInputError:
            return _UNKNOWN  # named with the references

    def _look_at_columns(self, name: str, step: StepSpec, given: Mapping[str, Any]) -> None:
        sources, naming = _DATA[step.uses]
        known: list[str] = []
        for key in sources:
            source = given.get(key)
            if not isinstance(source, str):
                return
            columns = self._columns(source)
            if isinstance(columns, str):
                self._say(name)(f"steps.{name}.with.{key}: {columns}")
            if not isinstance(columns, list):
                return
            known += columns
        named = {f"with.{key}": given[key] for key in naming if isinstance(given.get(key), str)}
        if isinstance(types := given.get("column_types"), Mapping):
            named |= {f"with.column_types.{column}": column for column in types}
        for place, column in named.items():
            if column not in known:
                self._say(name)(
                    f"steps.{name}.{place}: {' and '.join(given[key] for key in sources)} has no "
                    f"column {column!r}{near(column, known)}; it has {_shown(known)}"
                )

    def _look_at_trainers(self, name: str, trainers: Any) -> None:
        if not isinstance(trainers, list) or not all(isinstance(each, str) for each in trainers):
            return
        for each in trainers:
            if each not in (known := resolve(_TRAINERS)):
                self._found.fault(
                    f"steps.{name}.with.trainers: no trainer {each!r}{near(each, known)}; known: "
                    f"{', '.join(known)}"
                )

    def _say(self, name: str) -> Callable[[str], None]:
        """Return what takes a finding about data: a doubt, if they may be written before."""
        return self._warn_once if self._may_be_written_before(name) else self._found.fault

    def _warn_once(self, text: str) -> None:
        if text not in self._found.warnings:
            self._found.warn(f"{text} (unless a step before writes it)")

    def _may_be_written_before(self, name: str) -> bool:
        before, left = set[str](), [name]
        while left:
            new = [n for n in self._needs.get(left.pop(), ()) if n not in before]
            before |= set(new)
            left += new
        return any(_is_foreign(self._spec.steps[n].uses) for n in before if n in self._spec.steps)


class _Unknown:
    """That a value is not known before the start; null is a value."""


_UNKNOWN = _Unknown()


def _is_foreign(uses: str) -> bool:
    return uses != APPROVAL and uses in STEPS and not STEPS[uses].target.startswith(_OURS)


def _columns_of(source: str, roots: Sequence[Path]) -> list[str] | str | None:
    """Return the columns of data, why they cannot be read, or None if they are not there."""
    try:
        if source.startswith(BUILTIN_PREFIX):
            return list(load_dataset(source, roots=roots, max_bytes=0).frame.columns)
        return list(load_head(source, roots=roots, n_rows=HEAD_ROWS).frame.columns)
    except NotFoundError as error:
        return (
            str(error) if source.startswith(BUILTIN_PREFIX) else None
        )  # a doubt, told with inputs
    except UnavailableError:
        return None
    except InvalidInputError as error:
        return str(error)


def _shown(names: Iterable[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
