"""The units of a pipeline's run: one attempt of one item of one step, recorded once it is over."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_orchestrator.orchestration.pipelines.models import PipelineSpec

__all__ = ["StoredPlan", "Unit", "parse_unit", "unit_name"]

_NAME = re.compile(r"([^\[#]+)(?:\[(\d+)\])?(?:#(\d+))?")


def unit_name(step: str, item: int | None, attempt: int = 1) -> str:
    """Return the name under which a unit is recorded.

    >>> unit_name("train", None), unit_name("train", 2), unit_name("train", 2, 3)
    ('train', 'train[2]', 'train[2]#3')
    """
    place = step if item is None else f"{step}[{item}]"
    return place if attempt == 1 else f"{place}#{attempt}"


def parse_unit(name: str) -> tuple[str, int | None, int]:
    """Return step, item and attempt of a unit's name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return name, None, 1
    return found[1], None if found[2] is None else int(found[2]), int(found[3] or 1)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit does, in plain values.

    ``inputs`` have their references put in and are not checked yet; ``wait_s`` passes before it
    begins; ``run_attempt`` counts the resumed runs, ``attempt`` the tries in this one, from 1.
    """

    run_id: str
    pipeline: str
    digest: str
    actor: str
    step: str
    item: int | None
    attempt: int
    run_attempt: int
    uses: str
    version: int
    inputs: Mapping[str, Any]
    wait_s: float = 0.0
    timeout_s: float | None = None
    cache: bool = False
    cpu: float | None = None
    memory_mb: float = 0.0

    @property
    def name(self) -> str:
        """Its place: the step, and the item if there are several."""
        return unit_name(self.step, self.item)

    @property
    def place(self) -> str:
        """Its folder inside the run's."""
        return f"steps/{self.step}" + ("" if self.item is None else f".{self.item}")


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A pipeline as its run keeps it.

    ``carried`` holds what an earlier attempt of the run has finished, by unit: its output and
    when it ran. Nothing of it is run again.
    """

    spec: PipelineSpec
    params: Mapping[str, Any]
    order: list[str]
    needs: Mapping[str, list[str]]
    digest: str
    form: int
    max_items: int
    versions: Mapping[str, int]
    warnings: list[str]
    actor: str
    carried: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> "StoredPlan":
        """Read a plan that was enqueued."""
        stored = plan["pipeline"]
        return cls(
            spec=PipelineSpec.model_validate(stored["spec"]),
            params=plan["params"],
            order=plan["steps"],
            needs=stored["needs"],
            digest=stored["digest"],
            form=stored["form"],
            max_items=stored["max_items"],
            versions=stored["versions"],
            warnings=stored["warnings"],
            actor=plan["actor"],
            carried=plan.get("carried", {}),
        )
