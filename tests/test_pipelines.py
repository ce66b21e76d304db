"""A pipeline that is built in Python is the one that its YAML would be."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.loaded import HEAVY, loaded_after

from ml_orchestrator import pipelines
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.models import ParamSpec, PipelineSpec, StepSpec
from ml_orchestrator.orchestration.pipelines.planning import plan_pipeline
from ml_orchestrator.pipelines import ITEM, RUN_ID, Pipeline
from ml_orchestrator.settings import Settings

WRITTEN = """
name: better-family
description: Keep the better one, "größer".
schedule: "0 3 * * *"
params:
  floor: {type: number, default: 0.9, description: Least score., choices: [0.9, 0.5]}
  note: {type: text, default: null}
  day: {type: text}
steps:
  look: {uses: profile, with: {source: "builtin:iris"}}
  fit:
    uses: train
    with: {source: "builtin:iris", trainers: ["${item}"], n_trials: 1}
    needs: [look]
    when: ${steps.look.output.n_rows} >= 100 and 'x' != ${params.day}
    for_each: [linear, naive_bayes]
    timeout_s: 60
    retries: {max: 2, delay_s: 5}
    cache: true
    resources: {cpu: 1}
  best: {uses: pick_best, with: {candidates: "${steps.fit.output}", by: score}}
  gate:
    uses: require
    retries: 0
    with: {value: "${steps.best.output.best.score}", at_least: "${params.floor}"}
  ask:
    uses: approval
    needs: [gate]
    with: {question: "Run ${run.id}?", evidence: ["${steps.fit.output[0].score}", "2026-01-31"]}
outputs: {index: "${steps.best.output.index}", of: ["${steps.best.output.best}", 1]}
"""


def built() -> Pipeline:
    """Return the same pipeline, built."""
    pipeline = Pipeline(
        "better-family", description='Keep the better one, "größer".', schedule="0 3 * * *"
    )
    floor = pipeline.param(
        "floor", "number", default=0.9, description="Least score.", choices=(0.9, 0.5)
    )
    pipeline.param("note", default=None)
    day = pipeline.param("day")
    look = pipeline.step("look", uses="profile", with_={"source": "builtin:iris"})
    fit = pipeline.step(
        "fit",
        uses="train",
        with_={"source": "builtin:iris", "trainers": [ITEM], "n_trials": 1},
        needs=[look],
        when=f"{look.output.n_rows} >= 100 and 'x' != {day}",
        for_each=["linear", "naive_bayes"],
        timeout_s=60,
        retries={"max": 2, "delay_s": 5},
        cache=True,
        resources={"cpu": 1},
    )
    best = pipeline.step("best", uses="pick_best", with_={"candidates": fit.output, "by": "score"})
    gate = pipeline.step(
        "gate",
        uses="require",
        retries=0,
        with_={"value": best.output.best["score"], "at_least": floor},
    )
    evidence = [fit.output[0].score, "2026-01-31"]
    pipeline.step(
        "ask",
        uses="approval",
        needs=["gate"],
        with_={"question": f"Run {RUN_ID}?", "evidence": evidence},
    )
    pipeline.output("index", best.output.index)
    pipeline.output("of", (best.output.best, 1))
    assert gate == pipelines.Step("gate")
    return pipeline


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)


def test_what_is_built_is_what_is_written_and_starts_as_the_same(settings: Settings) -> None:
    params = {"day": "x"}
    forms: list[Any] = [WRITTEN, built().spec(), built().to_yaml()]

    assert built().spec() == yaml.safe_load(WRITTEN)
    assert len({plan_pipeline(form, params, settings).digest for form in forms}) == 1
    assert built().check(params, settings=settings) == [
        *plan_pipeline(WRITTEN, params, settings).warnings
    ]


def test_faults_are_those_of_any_specification(settings: Settings) -> None:
    pipeline = Pipeline("faulty")
    one = pipeline.step("one", uses="profle", timeout_s=0)
    pipeline.step("two", uses="require", with_={"value": one.output.x}, needs=["gone"])

    with pytest.raises(InvalidInputError) as refused:
        pipeline.check(settings=settings)

    for part in ("steps.one.timeout_s", "no step 'profle'", "there is no step 'gone'"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("add", "kind"),
    [
        (lambda pipeline: pipeline.param("a"), "parameter"),
        (lambda pipeline: pipeline.step("a", uses="require"), "step"),
        (lambda pipeline: pipeline.output("a", 1), "output"),
    ],
)
def test_no_name_is_given_twice(add: Any, kind: str) -> None:
    pipeline = Pipeline("twice")
    add(pipeline)

    with pytest.raises(InvalidInputError, match=f"Another {kind} is called 'a'"):
        add(pipeline)


def test_every_word_of_a_specification_can_be_said() -> None:
    """What the form takes and the builder does not would be lost unseen."""
    spec = built().spec()

    assert set(spec) == set(PipelineSpec.model_fields)
    assert set(spec["params"]["floor"]) == set(ParamSpec.model_fields)
    assert set(spec["steps"]["fit"]) == {
        field.alias or name for name, field in StepSpec.model_fields.items()
    }


def test_a_reference_is_no_sequence_and_changes_nothing_it_came_from() -> None:
    output = Pipeline("x").step("a", uses="require").output

    assert (str(output.items["b-c"][2]), str(output)) == (
        "${steps.a.output.items.b-c[2]}",
        "${steps.a.output}",
    )
    with pytest.raises(TypeError):
        list(output)  # type: ignore[call-overload]


def test_writing_one_loads_nothing_heavy() -> None:
    code = "from ml_orchestrator.pipelines import Pipeline\nPipeline('x').to_yaml()\n"
    assert loaded_after(code, (*HEAVY, "mcp")) == []
