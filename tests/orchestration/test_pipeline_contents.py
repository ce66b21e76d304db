"""What a pipeline is refused for before it starts: columns and trainers that are not there."""

from pathlib import Path
from typing import Any

import pytest
import tests.orchestration.tiny_pipelines as tiny

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.pipelines.planning import Planned, plan_pipeline
from ml_orchestrator.settings import Settings

_REGISTERED = tiny.__name__


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    (tmp_path / "rows.csv").write_text("age,income,churn\n1,2,a\n3,4,b\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("age,wealth\n1,2\n", encoding="utf-8")
    return Settings.read({}, home=tmp_path / "home", project_dir=tmp_path)


def planned(settings: Settings, steps: dict[str, Any], **more: Any) -> Planned:
    params = more.pop("given", {})
    return plan_pipeline({"name": "tested", "steps": steps, **more}, params, settings)


def test_columns_and_trainers_that_are_not_there_are_named_all_at_once(here: Settings) -> None:
    steps = {
        "look": {"uses": "profile", "with": {"source": "rows.csv", "target": "chrun"}},
        "fit": {
            "uses": "train",
            "for_each": ["linear", "liner"],
            "with": {
                "source": "${params.data}",
                "target": "churn",
                "time_column": "day",
                "column_types": {"agee": "categorical"},
                "trainers": ["${item}", "boosting"],
            },
        },
        "drift": {
            "uses": "check_drift",
            "with": {
                "reference": "rows.csv",
                "current": "other.csv",
                "column_types": {"wealth": "numeric", "town": "categorical"},
            },
        },
        "iris": {"uses": "profile", "with": {"source": "builtin:iris", "target": "kind"}},
    }
    with pytest.raises(InvalidInputError) as refused:
        planned(here, steps, params={"data": {}}, given={"data": "rows.csv"})

    for part in (
        "steps.look.with.target: rows.csv has no column 'chrun' (did you mean 'churn'?); it has "
        "age, income, churn",
        "steps.fit.with.time_column: rows.csv has no column 'day'; it has age",
        "steps.fit.with.column_types.agee: rows.csv has no column 'agee' (did you mean 'age'?)",
        "steps.fit.with.trainers: no trainer 'liner' (did you mean 'linear'?); known: ",
        "steps.fit.with.trainers: no trainer 'boosting'",
        "steps.drift.with.column_types.town: rows.csv and other.csv has no column 'town'",
        "steps.iris.with.target: builtin:iris has no column 'kind'",
    ):
        assert part in str(refused.value)
    assert "wealth" not in str(refused.value).partition("it has")[0]


def test_what_is_not_known_before_the_start_is_not_refused(here: Settings) -> None:
    steps = {
        "look": {"uses": "profile", "with": {"source": "rows.csv", "target": "churn"}},
        "later": {"uses": "profile", "with": {"source": "not-yet.csv", "target": "nothing"}},
        "fit": {
            "uses": "train",
            "with": {"source": "rows.csv", "target": "${steps.look.output.target}"},
        },
    }
    found = planned(here, steps, params={"data": {}}, given={"data": "rows.csv"})
    assert not [text for text in found.warnings if "column" in text]


def test_without_values_of_parameters_only_what_is_written_down_is_looked_at(
    here: Settings,
) -> None:
    steps = {
        "open": {"uses": "profile", "with": {"source": "${params.data}", "target": "nothing"}},
        "written": {"uses": "profile", "with": {"source": "rows.csv", "target": "nothing"}},
    }
    spec = {"name": "tested", "steps": steps, "params": {"data": {}}}
    with pytest.raises(InvalidInputError) as refused:
        plan_pipeline(spec, None, here)
    assert "steps.written.with.target" in str(refused.value)
    assert "steps.open" not in str(refused.value)


def test_a_file_that_a_foreign_step_may_write_first_is_doubted_only(here: Settings) -> None:
    note = {"uses": "note", "with": {"ledger": str(here.home / "ledger"), "label": "writes"}}
    look = {
        "uses": "profile",
        "needs": ["writes"],
        "with": {"source": "rows.csv", "target": "fresh"},
    }
    found = planned(here, {"writes": note, "look": look})
    assert any(
        "steps.look.with.target: rows.csv has no column 'fresh'" in text
        and "unless a step before writes it" in text
        for text in found.warnings
    )
