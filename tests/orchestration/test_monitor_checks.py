"""What a monitor is refused for when it is set, all at once, and what it is told of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.orchestration.monitor_bench import DRIFT, Bench, open_bench

from ml_orchestrator.errors import InvalidInputError, NotFoundError, PathNotAllowedError
from ml_orchestrator.orchestration.monitors.desk import MonitorDesk

SAID: dict[str, Any] = {"target": "label", "prediction": "said"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("given", "error", "complaint"),
    [
        ({"drft": {}}, InvalidInputError, r"drft: Extra .*\(did you mean 'drift'\?\)\. Fields"),
        ({"watch": "../other/*.csv"}, PathNotAllowedError, "without '..'"),
        ({"watch": "https://host/now.csv"}, InvalidInputError, "no address is fetched"),
        ({"watch": "builtin:nothing"}, NotFoundError, "nothing"),
        ({"watch": "serving:../x"}, InvalidInputError, "x"),
        ({"reference": "baseline:gone"}, NotFoundError, "'gone'"),
        ({"cron": "61 * * * *"}, InvalidInputError, "out of range"),
        ({"cron": "0 3 * * *", "every_s": 60}, InvalidInputError, "one of them"),
        ({"retrain": {"params": {"target": "label"}}}, InvalidInputError, "model"),
        (
            {"retrain": {"params": {"model": "m"}, "roll_out": {"strategy": "hope"}}},
            InvalidInputError,
            "strategy",
        ),
        ({"roll_back": {"model": "m", "alias": "v3"}}, InvalidInputError, "v3"),
    ],
)
def test_a_monitor_that_could_only_fail_is_refused_when_it_is_set(
    bench: Bench, given: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    desk = MonitorDesk(bench.settings, bench.database)
    with pytest.raises(error, match=complaint):
        desk.set("m", {"watch": "now.csv", **DRIFT, **given}, actor="ann", dry_run=True)
    assert bench.store.all() == []


def test_every_fault_is_named_at_once(bench: Bench) -> None:
    bench.write("now.csv", bench.rows().rename({"plan": "tariff"}))
    desk = MonitorDesk(bench.settings, bench.database)
    spec = {
        "watch": "now.csv",
        "reference": "before.csv",
        "drift": {},
        "quality": {"max_age_hours": 24},
        "performance": {"target": "gone", "prediction": "said"},
        "time_column": "when",
        "cron": "61 * * * *",
        "roll_back": {"model": "../m"},
    }
    with pytest.raises(InvalidInputError) as refused:
        desk.set("no name", spec, actor="ann", dry_run=False)

    said = str(refused.value)
    assert "cannot be set, for 7 reasons: (1) 'no name' cannot name a monitor" in said
    for fault in (
        "out of range",
        "'now.csv' has no time column 'when'; it has age, tariff",
        "'now.csv' has no column 'plan', which would be found gone at every look",
        "The reference sample has no column 'gone'",
        "before.csv has no column of dates or times, so that quality.max_age_hours",
        "'../m'",
    ):
        assert fault in said
    assert bench.store.all() == []


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"drift": {"columns": ["age", "a", "b"]}}, "reference has no column 'a', 'b'; it has age"),
        ({"drift": {"test": "ks"}}, "'ks' takes numeric columns; 'plan' is categorical"),
        ({"drift": {"test": "ks", "limits": "fixed"}}, "'ks' takes numeric columns; 'plan'"),
        ({"reference": "few.csv"}, "has 12 rows to draw chunks from"),
        ({"time_column": "plan"}, "'plan' of 'now.csv' holds String, such as '"),
        (
            {
                "column_types": {"age": "categorical"},
                "drift": {"test": "ks", "columns": ["age"]},
            },
            "'age' is categ",
        ),
        ({"column_types": {"agee": "numeric"}}, "'agee'"),
        ({"performance": {**SAID, "prediction": "tells"}}, "no column 'tells' of predictions"),
        ({"performance": {**SAID, "reference": "few.csv"}}, "12 rows with a label in 'label'"),
        (
            {"performance": {"target": "plan", "prediction": "plan", "basis": "estimated"}},
            "Of 'plan' classes are predicted, and without probabilities",
        ),
        (
            {"watch": "serving:shop", "performance": {**SAID, "basis": "measured"}},
            "holds no labels",
        ),
        ({"watch": "serving:shop", "performance": SAID}, "without probabilities nothing can"),
        ({"quality": {"max_age_hours": 1, "leave_out": ["freshness"]}}, "freshness, which is left"),
        (
            {
                "quality": {
                    "leave_out": [
                        "schema", "nulls", "range", "categories", "duplicates", "volume",
                        "freshness",
                    ]
                }
            },
            "nothing is left to check",
        ),
        (
            {"retrain": {"params": {"model": "m", "target": "lable", "source": "before.csv"}}},
            "an alert would train on, has no column for target 'lable'; it has age, plan",
        ),
    ],
)  # fmt: skip
def test_what_only_the_data_tell_is_refused_when_it_is_set(
    bench: Bench, given: dict[str, Any], complaint: str
) -> None:
    bench.write("now.csv", bench.rows())
    bench.write("few.csv", bench.rows(12))
    with pytest.raises(InvalidInputError) as refused:
        bench.set(**given)
    assert complaint in str(refused.value)


def test_an_unknown_test_and_a_file_that_cannot_be_read_are_told_apart(bench: Bench) -> None:
    with pytest.raises(NotFoundError, match="'kolmogorov'"):
        bench.set(drift={"test": "kolmogorov"})
    (bench.folder / "now.csv").write_text('"age\n1')
    with pytest.raises(InvalidInputError, match=r"now\.csv"):
        bench.set()


def test_a_column_of_another_kind_is_refused_of_a_file_of_a_pattern_too(bench: Bench) -> None:
    bench.write("days/1.csv", bench.rows().with_columns(age=pl.lit("old")))
    with pytest.raises(
        InvalidInputError, match="'age' is numeric in the reference and categorical"
    ):
        bench.set(watch="days/*.csv")


def test_identifiers_at_a_rate_that_their_test_never_reaches_are_refused(bench: Bench) -> None:
    frame = bench.rows(1_500).with_columns(id=pl.Series([f"id-{i * 7919}" for i in range(1_500)]))
    bench.write("before.csv", frame)
    with pytest.raises(InvalidInputError, match=r"'id' has 0\.0005 of the false_alarm_rate"):
        bench.set(false_alarm_rate=0.001, drift={"columns": ["age", "id"]})
    bench.set(drift={"columns": ["age", "id"]})


def test_what_is_not_there_yet_is_allowed_and_told(bench: Bench) -> None:
    plan = "\n".join(
        bench.set(
            retrain={"params": {"model": "m", "target": "label", "source": "later.csv"}},
            roll_back={"model": "shop", "alias": "production"},
            every_s=100_000,
        )
    )
    for notice in (
        "There is nothing to look at yet: ",
        "Note: later.csv, which an alert would train on, is not there yet.",
        "Note: @production of 'shop' points at no version yet",
        "Note: Looks are up to 100,000 s apart and grace_s is 86,400: the first look without",
    ):
        assert notice in plan
    assert "Note: No model 'shop' is registered yet." in bench.set(watch="serving:shop")
    bench.write("now.csv", bench.rows(20))
    measured = {**SAID, "basis": "measured", "reference": "before.csv"}
    bench.write("now.csv", bench.rows(20).drop("label"))
    told = bench.set(drift={"columns": ["age"]}, performance=measured, time_column="age")
    assert "Note: now.csv has 20 rows now; a look takes 50." in told
    assert "Note: now.csv has no column 'label' yet; looks say no_data until it has." in told


def test_a_monitor_that_can_look_is_set_without_a_note(bench: Bench) -> None:
    bench.write("now.csv", bench.rows())
    plan = bench.set(
        performance=SAID, quality={}, retrain={"params": {"model": "m", "target": "label"}}
    )
    assert not [line for line in plan if line.startswith("Note: ")]
    assert DRIFT["reference"] in plan[1]
