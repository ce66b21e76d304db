"""Faults of a validation are told in one way."""

import doctest
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ml_orchestrator import faults
from ml_orchestrator.calling import schemas, showing, trained, values
from ml_orchestrator.faults import faults_of, near, nearest


class _Step(BaseModel):
    name: str
    n: int = Field(default=1, ge=1)

    @field_validator("name")
    @classmethod
    def _not_odd(cls, name: str) -> str:
        if name == "odd":
            raise ValueError("odd is no name.")
        return name


class _Plan(BaseModel):
    steps: list[_Step]

    @model_validator(mode="after")
    def _not_empty(self) -> "_Plan":
        if not self.steps:
            raise ValueError("no step is given")
        return self


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"steps": [{"n": 0}, {"name": "odd"}]},
            "steps.0.name: Field required; steps.0.n: Input should be greater than or equal to 1; "
            "steps.1.name: odd is no name",
        ),
        ({"steps": []}, "plan: no step is given"),
    ],
)
def test_each_fault_is_told_with_its_place_and_without_pydantics_words(
    given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        _Plan.model_validate(given)

    assert faults_of(refused.value.errors(), whole="plan") == told
    assert faults_of(refused.value.errors()[:1]) == told.split("; ", maxsplit=1)[0].removeprefix(
        "plan: "
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("chalenger", "challenger"),  # a letter left out
        ("CHAMPION", "champion"),  # in capitals
        ("champoin", "champion"),  # two letters changed places
        ("chall", "challenger"),  # 2 * 5 of 15 letters agree: at least 0.6 must
        ("chal", None),
        ("dev", None),
        ("", None),
    ],
)
def test_the_most_similar_name_is_found_and_none_where_none_is_similar(
    name: str, found: str | None
) -> None:
    known = ["challenger", "champion", "staging"]

    assert nearest(name, known) == found
    assert near(name, known) == ("" if found is None else f" (did you mean {found!r}?)")


@pytest.mark.parametrize(
    "module", [faults, schemas, showing, trained, values], ids=lambda m: m.__name__
)
def test_the_examples_of_a_module_hold(module: ModuleType) -> None:
    ran = doctest.testmod(module)
    assert (ran.failed, ran.attempted > 0) == (0, True)
