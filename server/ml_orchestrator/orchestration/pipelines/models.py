"""What a pipeline's specification may hold, and reading it into records with every fault named."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import formed
from ml_orchestrator.orchestration.schedules import Cadence
from ml_orchestrator.records import Record

__all__ = [
    "APPROVAL",
    "MAX_ITEMS",
    "ParamSpec",
    "ParamType",
    "PipelineSpec",
    "Resources",
    "Retries",
    "StepSpec",
    "digest_of",
    "refuse",
    "typed_spec",
]

APPROVAL = "approval"  # the step that a person does
MAX_STEPS = 100
MAX_ITEMS = 200  # of one fan-out
MAX_UNITS = 10_000  # attempts of all items of all steps, at most
Name = Annotated[
    str,
    Field(max_length=60),
    formed(
        r"[A-Za-z_][A-Za-z0-9_-]*",
        "a name must be letters, digits, _ and -, the first a letter or _",
    ),
]
ParamType = Literal["text", "integer", "number", "boolean", "list", "mapping"]
_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "mapping": (dict,),
}


def _of_type(kind: ParamType, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


class ParamSpec(Record):
    """One parameter; without a default it must be given."""

    type: Annotated[ParamType, Field(description="What it is.")] = "text"
    default: Annotated[Any, Field(description="Taken where none is given.")] = None
    description: Annotated[str, Field(max_length=500)] = ""
    choices: Annotated[list[Any] | None, Field(max_length=100)] = None

    @property
    def is_required(self) -> bool:
        """Whether there is no default; a default of null is one."""
        return "default" not in self.model_fields_set

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a value; None if nothing is."""
        if value is None and not self.is_required and self.default is None:
            return None
        if not _of_type(self.type, value):
            return f"takes {self.type}; found {json.dumps(value)[:80]}"
        if self.choices is not None and value not in self.choices:
            return f"takes one of {json.dumps(self.choices)[:200]}; found {json.dumps(value)[:80]}"
        return None

    @model_validator(mode="after")
    def _check_default(self) -> "ParamSpec":
        if not self.is_required and (fault := self.fault(self.default)):
            raise ValueError(f"its default does not fit: it {fault}")
        return self


class Retries(Record):
    """How often a failed step is tried again, and after how long."""

    max: Annotated[int, Field(ge=0, le=10, description="Times it is tried again.")] = 0
    delay_s: Annotated[float, Field(ge=0, le=3_600, description="Before the first.")] = 1.0
    factor: Annotated[float, Field(ge=1, le=10, description="Each wait over the last.")] = 2.0
    max_delay_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0

    def wait_s(self, attempt: int) -> float:
        """Return how long to wait before an attempt, counted from 1; none before the first."""
        if attempt <= 1:
            return 0.0
        return float(min(self.max_delay_s, self.delay_s * self.factor ** (attempt - 2)))


class Resources(Record):
    """What a step needs free in its worker before it begins."""

    cpu: Annotated[float | None, Field(ge=0, le=1_024, description="Cores.")] = None
    memory_mb: Annotated[float, Field(ge=0, le=10_000_000, description="In MB.")] = 0.0


def _retries(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return {"max": value} if is_count else value


class StepSpec(Record):
    """One step of a pipeline."""

    uses: Annotated[str, Field(min_length=1, max_length=100, description="A catalogued step.")]
    with_: Annotated[dict[str, Any], Field(alias="with", description="Its inputs.")] = {}
    needs: Annotated[list[str], Field(max_length=MAX_STEPS)] = []
    when: Annotated[str | None, Field(description="Run it only if this holds.")] = None
    for_each: Annotated[
        list[Any] | str | None, Field(description="Run it for each entry of this list.")
    ] = None
    timeout_s: Annotated[float | None, Field(gt=0, le=604_800)] = None
    retries: Retries = Retries()
    cache: Annotated[bool, Field(description="Take an equal earlier output.")] = False
    resources: Resources = Resources()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "retries" in value:
            return {**value, "retries": _retries(value["retries"])}
        return value

    @property
    def n_units(self) -> int:
        """How many recorded units it may take at most: items by attempts."""
        return (1 if self.for_each is None else MAX_ITEMS) * (1 + self.retries.max)


def _cron(text: str | None) -> str | None:
    if text is not None:
        Cadence(cron=text)
    return text


class PipelineSpec(Record):
    """A whole pipeline; the steps' order in the file decides nothing but ties."""

    name: Name
    description: Annotated[str, Field(max_length=2_000)] = ""
    params: Annotated[dict[Name, ParamSpec], Field(max_length=100)] = {}
    steps: Annotated[dict[Name, StepSpec], Field(min_length=1, max_length=MAX_STEPS)]
    outputs: Annotated[
        dict[Name, Any] | None, Field(description="Its result; the last steps' outputs if none.")
    ] = None
    schedule: Annotated[
        str | None, AfterValidator(_cron), Field(description="Minute hour day month weekday.")
    ] = None

    @model_validator(mode="after")
    def _check_units(self) -> "PipelineSpec":
        n_units = sum(step.n_units for step in self.steps.values())
        if n_units > MAX_UNITS:
            raise ValueError(
                f"its steps, items and retries make up to {n_units:,} units; at most {MAX_UNITS:,}"
            )
        return self

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values, defaults left out: what a run keeps."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def typed_spec(given: Mapping[str, Any]) -> tuple[PipelineSpec | None, list[str]]:
    """Return the specification as a record, or None and what is wrong with its form."""
    try:
        return PipelineSpec.model_validate(given), []
    except ValidationError as error:
        return None, list(dict.fromkeys(_faults(error)))


def digest_of(spec: PipelineSpec) -> str:
    """Return the SHA-256 of a specification, the same however it was laid out."""
    text = json.dumps(spec.plain(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        place = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "pipeline"
        if fault["type"] == "extra_forbidden":
            owner = StepSpec if place.startswith("steps.") else PipelineSpec
            known = ", ".join(f.alias or name for name, f in owner.model_fields.items())
            where = "" if place.count(".") > 2 else f"; known: {known}"
            yield f"{place} is unknown{where}"
        else:
            message = str(fault["msg"]).removeprefix("Value error, ").removesuffix(".")
            yield f"{place}: {message}"


def refuse(faults: list[str], doubts: list[str], name: str) -> InvalidInputError:
    """Return the one error that lists every fault, and after them the doubts."""
    listed = "; ".join(f"({n}) {fault}" for n, fault in enumerate(faults, 1))
    doubted = f" Doubtful: {'; '.join(doubts)}." if doubts else ""
    return InvalidInputError(
        f"Pipeline {name!r} cannot start, nothing was queued: {listed}.{doubted}"
    )
