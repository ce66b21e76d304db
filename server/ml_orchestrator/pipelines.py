"""Pipelines written in Python: they give the specification that YAML would give, and nothing else.

The server never runs such a program. It gets what ``spec`` or ``to_yaml`` returns, and checks and
carries that out as any other specification.

>>> pipeline = Pipeline("look-first")
>>> look = pipeline.step("look", uses="profile", with_={"source": "builtin:iris"})
>>> enough = pipeline.step("enough", uses="require", with_={"value": look.output.n_rows})
>>> pipeline.spec()["steps"]["enough"]["with"]
{'value': '${steps.look.output.n_rows}'}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.targets import resolve
from ml_orchestrator.settings import Settings

if TYPE_CHECKING:
    from ml_orchestrator.orchestration.pipelines.models import ParamType

__all__ = ["ITEM", "RUN_ID", "Pipeline", "Reference", "Step"]

# Loaded where a pipeline is checked; writing one needs none of it.
_PLAN = "ml_orchestrator.orchestration.pipelines.planning:plan_pipeline"
_PLUGINS = "ml_orchestrator.orchestration.steps:load_plugins"
_ABSENT: Any = object()


class Reference:
    """Stands for a value of the run; ``.field`` and ``[0]`` lead further into it.

    As text it is ``${...}``, also inside other text: ``f"{fit.output.score} >= 0.9"`` is a
    condition, which Python itself cannot decide before the run.
    """

    __slots__ = ("__path",)
    __iter__ = None

    def __init__(self, path: str) -> None:
        self.__path = path

    def __getattr__(self, field: str) -> "Reference":
        if field.startswith("__"):  # Python's own protocols ask for such names
            raise AttributeError(field)
        return Reference(f"{self.__path}.{field}")

    def __getitem__(self, place: int | str) -> "Reference":
        inner = f"[{place}]" if isinstance(place, int) else f".{place}"
        return Reference(f"{self.__path}{inner}")

    def __str__(self) -> str:
        return f"${{{self.__path}}}"

    def __repr__(self) -> str:
        return f"Reference({self.__path!r})"


ITEM = Reference("item")  # the entry that a step with for_each runs for
RUN_ID = Reference("run.id")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a pipeline, to be named in others' ``needs``."""

    name: str

    @property
    def output(self) -> Reference:
        """What the step gives; of one with ``for_each`` the list of what it gave."""
        return Reference(f"steps.{self.name}.output")


class Pipeline:
    """A pipeline under construction; what each word means stands in docs/pipelines.md.

    A name that a parameter, step or output has already is an InvalidInputError.
    """

    def __init__(self, name: str, *, description: str = "", schedule: str | None = None) -> None:
        self._head = _given(name=name, description=description or None, schedule=schedule)
        self._params: dict[str, Any] = {}
        self._steps: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def param(
        self,
        name: str,
        type: "ParamType" = "text",
        *,
        default: Any = _ABSENT,
        description: str | None = None,
        choices: Sequence[Any] | None = None,
    ) -> Reference:
        """Declare a parameter; without a default it must be given."""
        fields = _given(type=type, description=description, choices=choices)
        if default is not _ABSENT:
            fields["default"] = _plain(default)
        _add(self._params, "parameter", name, fields)
        return Reference(f"params.{name}")

    def step(
        self,
        name: str,
        *,
        uses: str,
        with_: Mapping[str, Any] | None = None,
        needs: Sequence[Step | str] = (),
        when: str | Reference | None = None,
        for_each: Reference | Sequence[Any] | None = None,
        timeout_s: float | None = None,
        retries: int | Mapping[str, float] | None = None,
        cache: bool | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> Step:
        """Add a step; those that its inputs refer to need not stand in ``needs``."""
        fields = _given(
            uses=uses,
            **{"with": with_},
            needs=[each.name if isinstance(each, Step) else each for each in needs] or None,
            when=when,
            for_each=for_each,
            timeout_s=timeout_s,
            retries=retries,
            cache=cache,
            resources=resources,
        )
        _add(self._steps, "step", name, fields)
        return Step(name)

    def output(self, name: str, value: Any) -> None:
        """Name a part of the result; with none it is what the last steps give."""
        _add(self._outputs, "output", name, _plain(value))

    def spec(self) -> dict[str, Any]:
        """Return the specification as plain values, as ``workflow_run`` takes it."""
        parts = {"params": self._params, "steps": self._steps, "outputs": self._outputs}
        return {**self._head, **{name: _plain(part) for name, part in parts.items() if part}}

    def to_yaml(self) -> str:
        """Return the specification as a file that ``ml-orchestrator workflow run`` takes."""
        return yaml.safe_dump(self.spec(), sort_keys=False, allow_unicode=True)

    def check(
        self, params: Mapping[str, Any] | None = None, *, settings: Settings | None = None
    ) -> list[str]:
        """Return the doubts about it, with these values of its parameters; nothing is started.

        Args:
            params: None leaves out what depends on them.
            settings: which roots and plug-ins there are; None takes those of this environment.

        Raises:
            InvalidInputError: the message names every fault.
        """
        settings = settings or Settings.read()
        resolve(_PLUGINS)(settings)
        warnings: list[str] = resolve(_PLAN)(self.spec(), params, settings).warnings
        return warnings


def _given(**fields: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in fields.items() if value is not None}


def _add(part: dict[str, Any], kind: str, name: str, value: Any) -> None:
    if name in part:
        raise InvalidInputError(f"Another {kind} is called {name!r}. Give this one another name.")
    part[name] = value


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, each part made anew, references as their text."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in value]
    return value
