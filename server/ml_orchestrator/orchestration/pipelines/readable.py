"""What can be read of a specification whose form is wrong, so that its meaning is checked, too."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.orchestration.pipelines.models import (
    MAX_STEPS,
    ParamSpec,
    PipelineSpec,
    StepSpec,
)
from ml_orchestrator.records import Record

__all__ = ["Readable", "readable_part"]

EMPTY: Mapping[str, Any] = MappingProxyType({})
UNREAD = "?"  # stands where a step's use cannot be read
_Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    """A specification to be checked, and the places in it that cannot be read.

    Each step and parameter is there under its name, with what of it could be read.
    """

    spec: PipelineSpec
    gaps: tuple[str, ...] = ()

    def is_gap(self, fault: str) -> bool:
        """Whether a fault is at or below a place that cannot be read, where its form is told."""
        return fault.startswith(tuple(f"{gap}{end}" for gap in self.gaps for end in ":.["))

    def has_value(self, param: str) -> bool:
        """Whether a parameter could be read whole, so that its value can be relied on."""
        place = f"params.{param}"
        return not any(gap == place or gap.startswith(f"{place}.") for gap in self.gaps)


class _Untyped(ParamSpec):
    """A parameter whose type cannot be read: any value may be right."""

    type: Any = None
    default: Any = None

    def fault(self, value: Any) -> str | None:
        return None


def readable_part(plain: Mapping[str, Any]) -> Readable:
    """Return what can be read of a specification, without the fields whose form is wrong.

    One with more steps or parameters than there may be is not looked into.
    """
    gaps: list[str] = []
    params = {name: _param(name, each, gaps) for name, each in _entries(plain, "params", gaps)}
    steps = {name: _step(name, each, gaps) for name, each in _entries(plain, "steps", gaps)}
    spec = PipelineSpec.model_construct(
        name=str(plain.get("name", UNREAD))[:80],
        params=params,
        steps=steps,
        outputs=dict(_entries(plain, "outputs", gaps)),
    )
    return Readable(spec, tuple(gaps))


def _entries(plain: Mapping[str, Any], part: str, gaps: list[str]) -> list[tuple[str, Any]]:
    found = plain.get(part) or {}
    is_small = all(
        len(each) <= MAX_STEPS
        for each in (plain.get("steps"), plain.get("params"))
        if isinstance(each, Mapping)
    )
    if isinstance(found, Mapping) and is_small:
        return list(found.items())
    gaps.append(part)
    return []


def _param(name: str, given: Any, gaps: list[str]) -> ParamSpec:
    place = f"params.{name}"
    if not isinstance(given, Mapping):
        gaps.append(place)
        return _Untyped(default=None)
    kept, left_out = _fitting(ParamSpec, given)
    gaps += [_joined(place, each) for each in left_out]
    if ("type",) in left_out:
        return _Untyped(default=None)
    if ("default",) in left_out:
        kept["default"] = None  # it need not be given all the same
    return ParamSpec.model_validate(kept)


def _step(name: str, given: Any, gaps: list[str]) -> StepSpec:
    place = f"steps.{name}"
    if not isinstance(given, Mapping):
        gaps.append(place)
        return StepSpec(uses=UNREAD)
    kept, left_out = _fitting(StepSpec, given, {"uses": UNREAD})
    left_out += [] if "uses" in given else [("uses",)]
    gaps += [_joined(place, each) for each in left_out]
    if ("for_each",) in left_out:
        kept["for_each"] = []  # its output is a list all the same
    return StepSpec.model_validate({"uses": UNREAD, **kept})


def _fitting(
    model: type[Record], given: Mapping[str, Any], stand_in: Mapping[str, Any] = EMPTY
) -> tuple[dict[str, Any], list[_Place]]:
    """Return the fields that fit a model, and the places of those that do not.

    ``stand_in`` has what must be there. A default that does not fit its parameter is a fault of
    the whole, and it is the default that is left out then.
    """
    kept, left_out = copy.deepcopy(dict(given)), list[_Place]()
    while True:
        try:
            model.model_validate({**stand_in, **kept})
        except ValidationError as error:
            places = [fault["loc"] or ("default",) for fault in error.errors(include_url=False)]
            # From the end, so that places in lists stay where they are.
            found = [cut for place in reversed(places) if (cut := _cut_out(kept, place))]
            left_out += found
            if found:
                continue
        return kept, left_out


def _cut_out(fields: Any, place: _Place) -> _Place | None:
    """Remove the innermost part that a place leads to and return its place, if there is one."""
    way: list[tuple[Any, str | int]] = []
    at = fields
    for part in place:
        known = at if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        if part not in known:
            break
        way.append((at, part))
        at = at[part]
    if not way:
        return None
    holder, key = way[-1]
    del holder[key]
    return place[: len(way)]


def _joined(place: str, inner: _Place) -> str:
    return ".".join([place, *map(str, inner)])
