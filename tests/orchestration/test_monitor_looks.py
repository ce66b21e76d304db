"""What a monitor sees in files, in files of a pattern and in a serving log, and what it says."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.orchestration.monitor_bench import AGENT, DRIFT, Bench, open_bench

from ml_orchestrator.cli import main
from ml_orchestrator.datasets.sources import load_dataset
from ml_orchestrator.errors import PathNotAllowedError
from ml_orchestrator.health import counting
from ml_orchestrator.health.monitors.calibration import chunk_size, limits_of
from ml_orchestrator.health.monitors.models import read_spec
from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.orchestration.baselines import BaselineKeeper
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.orchestration.launch import worker_leases
from ml_orchestrator.orchestration.monitors import drift, judging, looking
from ml_orchestrator.orchestration.monitors.looking import look_once
from ml_orchestrator.orchestration.monitors.opening import KIND
from ml_orchestrator.orchestration.monitors.reading import check_watch
from ml_orchestrator.orchestration.schedules import Cadence, Schedules
from ml_orchestrator.orchestration.workers import NO_WORKER
from ml_orchestrator.serving.log_files import log_folder, write_file


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def test_a_file_is_looked_at_when_it_has_changed_and_is_missed_when_it_is_not_there(
    bench: Bench,
) -> None:
    bench.put()
    assert bench.look().verdict == "no_data"
    bench.write("now.csv", bench.rows())
    assert bench.look().verdict == "good"
    assert bench.look().verdict == "unchanged"
    bench.write("now.csv", bench.rows(shift=1.0))
    bad = bench.look()
    assert bad.verdict == "bad"
    assert "'age' drifted" in bad.summary
    bench.write("now.csv", bench.rows(20))
    assert "20 rows; a look takes 50" in bench.look().summary


def test_the_first_look_at_a_file_as_it_is_opens_an_alert_and_a_good_version_ends_it(
    bench: Bench,
) -> None:
    bench.put()
    bench.write("now.csv", bench.rows(shift=1.0))
    bench.look()
    (alert,) = bench.store.open_alerts()
    assert "'age' drifted" in alert.summary
    assert bench.look().verdict == "unchanged"
    assert bench.store.open_alerts() == [alert]
    bench.write("now.csv", bench.rows())
    bench.look()
    assert bench.store.open_alerts() == []


def test_of_what_brings_new_rows_and_of_a_file_where_it_is_said_two_looks_open_an_alert() -> None:
    for given, opens in (
        ({"watch": "now.csv"}, (1, 1)),
        ({"watch": "builtin:iris"}, (1, 1)),
        ({"watch": "now.csv", "open_after": 2}, (2, 1)),
        ({"watch": "day-*.csv"}, (2, 2)),
        ({"watch": "serving:shop"}, (2, 2)),
    ):
        spec = read_spec({**DRIFT, **given})
        assert (spec.open_after, spec.resolve_after) == opens
    kept = spec.model_copy(update={"watch": "now.csv"})  # as one that was kept with its numbers
    assert type(spec).model_validate_json(kept.model_dump_json()).open_after == 2


def test_a_reference_that_did_not_change_is_not_hashed_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    inner = drift._digest

    def counted(*given: Any) -> str:
        hashed.append(inner(*given))
        return hashed[-1]

    monkeypatch.setattr(drift, "_digest", counted)
    bench.put()
    for _ in range(2):
        bench.write("now.csv", bench.rows())
        bench.look()
    assert len(hashed) == 1
    kept = bench.store.get("m").condition.limits["key"]
    (bench.folder / "before.csv").touch()  # the same content again
    os.utime(bench.folder / "before.csv", (1_700_000_000,) * 2)
    bench.write("now.csv", bench.rows())
    bench.look()
    assert len(hashed) == 2
    assert bench.store.get("m").condition.limits["key"] == kept
    bench.write("before.csv", bench.rows(1_500))
    bench.write("now.csv", bench.rows())
    bench.look()
    assert bench.store.get("m").condition.limits["key"] != kept


def test_of_a_pattern_new_files_are_looked_at_together_once_they_are_enough(bench: Bench) -> None:
    bench.put(watch="days/*.csv", least_rows=150)
    assert bench.look().verdict == "no_data"
    for day in (1, 2):
        path = bench.write(f"days/{day}.csv", bench.rows(100))
        os.utime(path, (1_800_000_000 + day,) * 2)
        verdict = bench.look().verdict
    assert verdict == "good"
    assert bench.look().verdict == "unchanged"
    path = bench.write("days/3.csv", bench.rows(160, shift=2.0))
    os.utime(path, (1_800_000_009,) * 2)
    assert (look := bench.look()).verdict == "bad"
    assert look.summary.startswith("160 new rows.")
    late = bench.write("days/late.csv", bench.rows(170))
    os.utime(late, (1_800_000_000,) * 2)  # it arrives after newer ones
    assert bench.look().summary.startswith("170 new rows")
    assert bench.look().verdict == "unchanged"


def test_a_pattern_outside_the_roots_tells_nothing_of_what_is_there(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "secret.csv").write_text("a\n1\n")
    (bench.folder / "link").symlink_to(other)
    for pattern in ("s*", "nosuch*", "*/s*"):
        for folder in (str(other), "link"):
            watch = f"{folder}/{pattern}"
            spec = read_spec({"watch": watch, **DRIFT})
            with pytest.raises(PathNotAllowedError) as refused:
                check_watch(bench.settings, spec)
            assert str(refused.value).startswith(f"Pattern '{watch}' is outside the allowed roots")


def test_a_serving_log_is_looked_at_from_where_the_last_look_ended(bench: Bench) -> None:
    folder = log_folder(bench.settings.home, "churn")
    folder.mkdir(parents=True)
    bench.put(watch="serving:churn", reference="before.csv")
    assert bench.look().verdict == "no_data"

    def serve(number: int, *, shift: float) -> None:
        us = 1_800_000_000_000_000 + number * 1_000_000
        frame = (
            bench.rows(80, shift=shift)
            .select("age", "plan", prediction="said")
            .with_columns(model_version=pl.lit(1), served_at=pl.lit(us).cast(pl.Datetime("us")))
        )
        write_file(folder, frame.to_arrow(), last_us=us, writer="0" * 8, number=number)

    serve(1, shift=0.0)
    good = bench.look()
    assert (good.verdict, good.summary.partition(" ")[0]) == ("good", "80")
    assert bench.look().verdict == "unchanged"
    serve(2, shift=1.5)
    assert (bad := bench.look()).verdict == "bad"
    assert bad.summary.startswith("80 new rows.")


def test_a_column_that_is_gone_or_empty_is_a_finding(bench: Bench) -> None:
    bench.put()
    bench.write("now.csv", bench.rows().drop("plan").with_columns(age=pl.lit(None, pl.Float64)))
    found = bench.look()
    assert found.verdict == "bad"
    assert set(found.findings) >= {"Column 'plan' is gone.", "Column 'age' has no value any more."}


def test_a_column_of_another_type_is_a_finding_and_the_others_are_compared(bench: Bench) -> None:
    bench.put()
    bench.write("now.csv", bench.rows(shift=1.5).with_columns(plan=pl.lit(7)))
    found = bench.look()
    assert found.verdict == "bad"
    told = " ".join(found.findings)
    assert "Column 'plan' held categories or text and now holds numbers" in told
    assert "Column 'age' drifted" in told


def test_fixed_limits_decide_as_drift_check_does(bench: Bench) -> None:
    bench.put(drift={"limits": "fixed", "test": "ks", "columns": ["age"], "share_threshold": 1.0})
    bench.write("now.csv", bench.rows())
    assert bench.look().verdict == "good"
    bench.write("now.csv", bench.rows(shift=1.0))
    assert bench.look().verdict == "bad"


def test_quality_is_held_against_a_baseline(bench: Bench) -> None:
    keeper = BaselineKeeper(bench.settings)
    keeper.save("usual", "before.csv", columns=None, column_types={})
    bench.put(drift=None, quality={}, reference="baseline:usual")
    frame = bench.rows()
    bench.write("now.csv", frame)
    assert bench.look().verdict == "good"  # far fewer rows are a warning
    bench.write("now.csv", frame.with_columns(age=pl.when(pl.col("label") > 0).then("age")))
    assert "nulls of 'age'" in (look := bench.look()).summary
    assert look.verdict == "bad"
    bench.put(drift=None, quality={"counts": "warning"}, reference="baseline:usual")
    bench.write("now.csv", frame)
    assert "volume" in bench.look().summary


def test_the_volume_of_a_file_is_that_of_all_its_rows(bench: Bench) -> None:
    bench.put(drift=None, quality={"counts": "warning"}, rows=100)
    bench.write("now.csv", bench.rows(1_200))
    assert "volume" not in (look := bench.look()).summary, look


def test_performance_is_measured_where_there_are_labels_and_waits_where_there_are_none(
    bench: Bench,
) -> None:
    watch = {"target": "label", "prediction": "said", "basis": "measured"}
    bench.put(drift=None, performance=watch)
    frame = bench.rows()
    bench.write("now.csv", frame)
    assert bench.look().verdict == "good"
    bench.write("now.csv", frame.with_columns(said=1 - pl.col("said")))
    assert (worse := bench.look()).verdict == "bad"
    assert "accuracy" in worse.summary
    bench.write("now.csv", frame.drop("label"))
    assert "Only 0 of the new rows have a label" in (look := bench.look()).summary
    assert look.verdict == "no_data"


def test_performance_is_estimated_without_labels(bench: Bench) -> None:
    def scored(*, shift: float) -> pl.DataFrame:
        frame = bench.rows(600, shift=shift)
        chance = 1 / (1 + np.exp(-(frame["age"].to_numpy() - 40) / 3))
        return frame.with_columns(p=pl.Series(chance))

    bench.write("scored.csv", scored(shift=0.0))
    watch = {
        "target": "label",
        "probabilities": {"1": "p"},
        "basis": "estimated",
        "reference": "scored.csv",
    }
    bench.put(drift=None, reference=None, performance=watch)
    bench.write("now.csv", scored(shift=0.0).drop("label"))
    assert bench.look().verdict == "good"
    near = scored(shift=0.0).with_columns(age=pl.col("age") / 20 + 38)
    chance = 1 / (1 + np.exp(-(near["age"].to_numpy() - 40) / 3))
    bench.write("now.csv", near.with_columns(p=pl.Series(chance)).drop("label"))
    assert (worse := bench.look()).verdict == "bad"
    assert "estimated" in worse.summary


def test_a_check_without_labels_leaves_a_look_open_unless_another_finds_something(
    bench: Bench,
) -> None:
    watch = {"target": "label", "prediction": "said", "basis": "measured"}
    bench.put(performance=watch)
    bench.write("now.csv", bench.rows().with_columns(label=pl.lit(None, pl.Int64)))
    calm = bench.look()
    assert calm.verdict == "no_data"
    assert "Only 0 of the new rows have a label" in calm.summary
    bench.write("now.csv", bench.rows(shift=1.5).with_columns(label=pl.lit(None, pl.Int64)))
    assert bench.look().verdict == "bad"


def test_what_cannot_be_read_counts_as_no_data_and_says_why(bench: Bench) -> None:
    bench.put()
    (bench.folder / "now.csv").write_text('"age\n1')
    look = bench.look()
    assert look.verdict == "no_data"
    assert look.summary.startswith("It cannot be judged: ")


def test_two_looks_at_once_at_the_same_data_count_as_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(open_after=2, of=2)
    bench.write("now.csv", bench.rows(shift=2.0))
    inner = judging.judge

    def judged_beside_another(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(looking, "judge", inner)
        assert bench.look().verdict == "bad"
        return inner(*args, **kwargs)

    monkeypatch.setattr(looking, "judge", judged_beside_another)
    look_once(bench.settings, bench.store, "m", run_id="run-late")

    assert [look.verdict for look in bench.store.looks("m", limit=5)] == ["unchanged", "bad"]
    assert bench.store.open_alerts() == []


def test_calibrated_limits_are_kept_for_looks_of_the_same_size(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put()
    bench.write("now.csv", bench.rows())
    bench.look()
    known = bench.store.get("m").condition.limits
    assert known["limits"]["rate"] == 0.01

    def again(*_: Any, **__: Any) -> Any:
        raise AssertionError("calibrated again")

    monkeypatch.setattr("ml_orchestrator.orchestration.monitors.drift.limits_of", again)
    bench.write("now.csv", bench.rows())
    assert bench.look().verdict == "good"
    assert bench.store.get("m").condition.limits == known


def test_limits_of_looks_that_are_now_larger_now_smaller_are_kept_beside_each_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put()
    for n_rows in (200, 400):
        bench.write("now.csv", bench.rows(n_rows))
        bench.look()

    def again(*_: Any, **__: Any) -> Any:
        raise AssertionError("calibrated again")

    monkeypatch.setattr("ml_orchestrator.orchestration.monitors.drift.limits_of", again)
    sizes = []
    for n_rows in (200, 400):
        bench.write("now.csv", bench.rows(n_rows))
        assert bench.look().verdict == "good"
        sizes.append(bench.store.get("m").condition.limits["limits"]["n_rows"])
    assert sizes == [chunk_size(200, 1_500), chunk_size(400, 1_500)]


def test_limits_of_each_hour_of_the_day_are_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, n_calibrated = np.random.default_rng(8), 0

    def counted(*args: Any, **given: Any) -> Any:
        nonlocal n_calibrated
        n_calibrated += 1
        return limits_of(*args, **given)

    monkeypatch.setattr("ml_orchestrator.orchestration.monitors.drift.limits_of", counted)
    bench.write("before.csv", weeks(rng, "2026-01-05", 3))
    bench.put(time_column="at", false_alarm_rate=0.2)
    for day in (1, 2):
        for hour in range(24):
            at = pl.Series([f"2026-02-{day:02}T{hour:02}:{minute:02}:00" for minute in range(60)])
            bench.write("now.csv", pl.DataFrame({"at": at, "age": rng.normal(40, 5, 60)}))
            bench.look()
        assert n_calibrated == 24


def test_limits_are_kept_up_to_a_number_and_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {str(i): {"limit": i} for i in range(100)}
    assert list(drift._newest(kept)) == [str(i) for i in range(69, 100)]
    monkeypatch.setattr(drift, "MOST_KEPT_LETTERS", 30)
    assert drift._newest(kept) == {"98": {"limit": 98}, "99": {"limit": 99}}


@pytest.mark.parametrize("reference", ["before.csv", "baseline:b"])
def test_times_of_one_side_and_numbers_of_the_other_are_not_compared_and_that_is_told(
    bench: Bench, reference: str
) -> None:
    rng = np.random.default_rng(9)
    given = weeks(rng, "2026-01-05", 10).with_columns(age=rng.normal(40, 5, 600))
    ns = pl.col("at").cast(pl.Datetime("ns")).cast(pl.Int64)
    now = weeks(rng, "2026-02-02", 1)  # a Monday
    for before, after, is_said in ((given.with_columns(ns), now, True), (given, now, False)):
        bench.write("before.csv", before)
        if reference.startswith("baseline:"):
            reference = f"baseline:{is_said}"
            keeper = BaselineKeeper(bench.settings)
            keeper.save(str(is_said), "before.csv", columns=None, column_types={})
        bench.put(time_column="at", reference=reference)
        bench.write("now.csv", after.head(60 - is_said))  # another file
        look = bench.look()
        assert ("'at' is not of one kind" in look.summary) is is_said
        assert ("stretches of the reference" in look.summary) is not is_said


def test_a_reference_is_read_once_however_many_checks_ask_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(source: str, **given: Any) -> Any:
        read.append(source)
        return load_dataset(source, **given)

    monkeypatch.setattr("ml_orchestrator.orchestration.samples.load_dataset", counted)
    bench.put(performance={"target": "label", "prediction": "said"}, quality={})
    bench.write("now.csv", bench.rows())

    assert bench.look().verdict == "good"
    assert read == ["before.csv"]


def test_a_refused_way_back_is_told_and_not_tried_again(bench: Bench) -> None:
    bench.put(roll_back={"model": "never-registered"}, open_after=1, of=1)
    bench.write("now.csv", bench.rows(shift=2.0))
    bench.look()

    said = bench.act()
    assert len(said) == 2
    assert said[1].startswith("roll_back was refused: ")
    assert bench.act() == []
    events = {m.metadata["event"] for m in bench.mailbox.inbox(AGENT).messages}
    assert events == {"opened", "roll_back"}


def test_a_read_only_installation_tells_and_sets_nothing_off(bench: Bench) -> None:
    bench.put(roll_back={"model": "m"}, open_after=1, of=1)
    bench.write("now.csv", bench.rows(shift=2.0))
    bench.look()
    bench.settings = bench.settings.model_copy(update={"mode": "read-only"})

    assert bench.act()[1] == "Nothing was set off: this installation runs read-only."


def weeks(rng: np.random.Generator, first: str, n_days: int) -> pl.DataFrame:
    """Return 60 rows a day, at random times; weekends have their own mean."""
    starts = pl.datetime_range(
        pl.lit(first).str.to_datetime(), pl.lit(first).str.to_datetime() + pl.duration(days=n_days),
        "1d", closed="left", eager=True,
    )  # fmt: skip
    at = np.repeat(starts.to_numpy(), 60) + rng.integers(0, 86_400, 60 * n_days).astype(
        "timedelta64[s]"
    )
    is_weekend = np.repeat(starts.dt.weekday().to_numpy() > 5, 60)
    return pl.DataFrame({"at": at, "age": rng.normal(40 + 15 * is_weekend, 5)}).sort("at")


def test_a_weekend_is_as_expected_where_the_reference_has_weekends_and_a_time_column(
    bench: Bench,
) -> None:
    rng = np.random.default_rng(5)
    bench.write("before.csv", weeks(rng, "2026-01-05", 63))
    saturday = weeks(rng, "2026-03-14", 1)

    bench.put()
    bench.write("now.csv", saturday)
    assert "'age' drifted" in bench.look().summary
    bench.put(time_column="at")
    bench.write("now.csv", weeks(rng, "2026-03-15", 1))
    good = bench.look()
    assert good.verdict == "good"
    assert "63 stretches of the reference: data with cycles may be beyond in 1.6%" in good.summary
    bench.write("now.csv", saturday.with_columns(pl.col("age") + 15))
    assert bench.look().verdict == "bad"


def test_a_reference_of_a_few_days_says_that_it_knows_no_cycles(bench: Bench) -> None:
    rng = np.random.default_rng(6)
    bench.write("before.csv", weeks(rng, "2026-01-05", 5))
    bench.put(time_column="at")
    bench.write("now.csv", weeks(rng, "2026-01-12", 1))
    assert "has not 8 stretches as long as this look" in bench.look().summary


def test_performance_on_a_serving_log_is_estimated_by_its_own_columns(bench: Bench) -> None:
    folder = log_folder(bench.settings.home, "churn")
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)

    def answered(n_rows: int, *, spread: float) -> pl.DataFrame:
        age = rng.normal(40, spread, n_rows)
        chance = 1 / (1 + np.exp(-(age - 40) / 3))
        frame = pl.DataFrame({"age": age, "prediction": (chance > 0.5).astype(int)})
        return frame.with_columns(
            model_version=pl.lit(1), probability_0=pl.Series(1 - chance),
            probability_1=pl.Series(chance), label=pl.Series((rng.random(n_rows) < chance) * 1),
        )  # fmt: skip

    def serve(number: int, *, spread: float, version: int = 1, n_rows: int = 400) -> None:
        us = 1_800_000_000_000_000 + number * 1_000_000
        at = pl.lit(us).cast(pl.Datetime("us")).alias("served_at")
        of = pl.lit(version).alias("model_version")
        names = ["age", "prediction", "model_version", "served_at"]
        chances = ["probability_0", "probability_1"]
        frame = answered(n_rows, spread=spread).with_columns(at, of).select(*names, *chances)
        last = pl.Series(np.arange(n_rows) >= 0.95 * n_rows)  # let go before they were asked for
        missing = [pl.when(last).then(None).otherwise(pl.col(name)).alias(name) for name in chances]
        table = frame.with_columns(missing).to_arrow()
        write_file(folder, table, last_us=us, writer="0" * 8, number=number)

    bench.write("labelled.csv", answered(1_500, spread=10))
    watch = {"target": "label", "basis": "estimated", "reference": "labelled.csv"}
    bench.put(watch="serving:churn", drift=None, reference=None, performance=watch)
    serve(1, spread=10)
    good = bench.look()
    assert good.verdict == "good"
    assert "20 of the new rows have no probabilities." in good.summary
    serve(2, spread=1)
    assert (worse := bench.look()).verdict == "bad"
    assert "estimated without labels" in worse.summary
    assert "held to a reference" not in good.summary
    serve(3, spread=10, version=2)  # in one look with those of version 1, that are worse
    serve(4, spread=1)
    mixed = bench.look()
    assert mixed.verdict == "bad"
    assert [finding[:11] for finding in mixed.findings] == ["Version 1: "]  # not of version 2
    serve(5, spread=10, version=2)
    other = bench.look()
    assert other.verdict == "good"
    assert "Version 2, held to a reference of version 1: " in other.summary
    serve(6, spread=10, version=3, n_rows=40)
    serve(7, spread=10)
    few = bench.look()
    assert (few.verdict, "Only 38 new rows of version 3 can be judged" in few.summary) == (
        "good",
        True,
    )
    shown = {"columns": ["prediction", "probability_1"]}
    bench.put(watch="serving:churn", drift=shown, reference="labelled.csv")
    bench.look()
    serve(8, spread=1)
    assert "'probability_1' drifted" in bench.look().summary


def test_a_column_that_numbers_the_rows_opens_no_alert_unless_it_is_named(bench: Bench) -> None:
    for name, n_rows in (("before.csv", 1_500), ("now.csv", 400)):
        bench.write(name, bench.rows(n_rows).with_row_index("visit_id"))
    assert "Not compared: 'visit_id'" in "\n".join(bench.set())
    keeper = BaselineKeeper(bench.settings)
    saved = keeper.save("before", "before.csv", columns=None, column_types={})
    assert "Not compared: 'visit_id'" in saved.notices[0]
    for reference in ("before.csv", "baseline:before"):
        bench.put(reference=reference)
        look = bench.look()
        assert look.verdict == "good"
        assert "Not compared: 'visit_id'" in look.summary
    bench.put(drift={"columns": ["visit_id", "age"]})
    assert "'visit_id' drifted" in bench.look().summary
    assert "Not compared" not in "\n".join(bench.set(drift={"columns": ["visit_id", "age"]}))


def test_numbers_of_rows_with_gaps_are_no_drift_until_they_repeat(bench: Bench) -> None:
    rng = np.random.default_rng(5)
    for name, n_rows, first in (("before.csv", 1_500, 0), ("now.csv", 400, 4_000)):
        ids = first + rng.choice(3 * n_rows, n_rows, replace=False)
        bench.write(name, bench.rows(n_rows).with_columns(visit_id=ids))
    checker = DriftChecker(bench.settings)
    keeper = BaselineKeeper(bench.settings)
    keeper.save("before", "before.csv", columns=None, column_types={})
    for reference in ("before.csv", "baseline:before"):
        report, _ = checker.check(reference, "now.csv", DriftOptions())
        assert (report.drifted_columns, report.notices) == ((), report.notices[:1])
        assert "Not compared: 'visit_id'" in report.notices[0]
        bench.put(reference=reference)
        assert bench.look().verdict == "good"
    bench.write("now.csv", bench.rows(400).with_columns(visit_id=pl.lit(7)))
    report, _ = checker.check("before.csv", "now.csv", DriftOptions())
    assert report.drifted_columns == ("visit_id",)
    assert "'visit_id' drifted" in bench.look().summary


def test_looks_are_counted_like_other_comparisons(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[dict[str, bool], bool, float]] = []

    def count(scores: Any, *, is_drifted: bool, share_drifted: float) -> None:
        tests = {f"{test} {score > 0}": has_drifted for test, score, has_drifted in scores}
        counted.append((tests, is_drifted, share_drifted))

    monkeypatch.setattr(counting, "count_drift", count)
    named = {"columns": ["age", "plan"]}
    for shift in (0.0, 1.0):
        for drift_watch in (named, {**named, "limits": "fixed", "share_threshold": 0.5}):
            bench.write("now.csv", bench.rows(shift=shift))
            bench.put(drift=drift_watch)
            bench.look()
    distances = "wasserstein True", "jensen_shannon True"
    calm, moved = ({distances[0]: is_it, distances[1]: False} for is_it in (False, True))
    assert counted[0] == (calm, False, 0.0)
    assert [found[1:] for found in counted] == [(False, 0.0)] * 2 + [(True, 0.5)] * 2
    assert counted[2][0] == counted[3][0] == moved


def test_data_that_only_number_their_rows_are_compared_by_that(bench: Bench) -> None:
    for name, n_rows in (("before.csv", 1_500), ("now.csv", 400)):
        bench.write(name, pl.DataFrame({"visit_id": range(n_rows)}))
    bench.put()
    assert "'visit_id' drifted" in bench.look().summary


def test_drift_check_leaves_out_what_numbers_the_rows_and_says_so(bench: Bench) -> None:
    for name, n_rows in (("before.csv", 1_500), ("now.csv", 400)):
        bench.write(name, bench.rows(n_rows).with_row_index("visit_id"))
    checker = DriftChecker(bench.settings)
    report, _ = checker.check("before.csv", "now.csv", DriftOptions())
    assert report.drifted_columns == ()
    assert "Not compared: 'visit_id'" in report.notices[0]
    named = DriftOptions(columns=["visit_id", "age"])
    report, _ = checker.check("before.csv", "now.csv", named)
    assert (report.drifted_columns, report.notices) == (("visit_id",), ())


def test_what_drifts_while_an_alert_is_open_joins_it_and_is_told_once(bench: Bench) -> None:
    one, other = "'age' drifted", "'plan' drifted"
    bench.put(tell=[AGENT])
    bench.write("now.csv", bench.rows(shift=1.0))
    bench.look()
    bench.act()
    (alert,) = bench.store.open_alerts()
    assert one in alert.summary
    assert other not in alert.summary

    for _ in range(3):
        bench.write("now.csv", bench.rows(shift=1.0).with_columns(plan=pl.lit("plus")))
        assert bench.look().verdict == "bad"
        bench.act()
    (joined,) = bench.store.open_alerts()
    assert joined.alert_id == alert.alert_id
    assert joined.summary.count(other) == 1
    assert [other in event for event in joined.events].count(True) == 1
    told = [message.content for message in bench.mailbox.inbox(AGENT).messages]
    assert len([text for text in told if other in text]) == 1
    assert len([text for text in told if one in text]) == 1

    bench.write("now.csv", bench.rows())
    bench.look()
    assert bench.store.open_alerts() == []
    bench.write("now.csv", bench.rows(shift=1.0))
    bench.look()
    (again,) = bench.store.open_alerts()
    assert again.alert_id != alert.alert_id
    assert other not in again.summary


def test_a_terminal_says_that_a_look_is_overdue_and_no_worker_lives(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.put()
    schedules = Schedules(bench.database)
    schedules.put(KIND, "m", Cadence(every_s=3_600), owner=AGENT)

    def said() -> str:
        with pytest.raises(SystemExit):
            main(["--home", str(bench.settings.home), "monitors", "list"])
        return capsys.readouterr().err

    assert NO_WORKER not in said()
    schedules.trigger(KIND, "m")
    assert NO_WORKER in said()
    worker_leases(bench.settings).take("worker-1")
    assert NO_WORKER not in said()
