"""Since when, and does it matter: drift in chunks, beside what a model relies on."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health import over_time
from ml_orchestrator.health.baseline import prepare_baseline
from ml_orchestrator.health.chunks import Timeline
from ml_orchestrator.health.drift.choice import LEAST_P, measure
from ml_orchestrator.health.impact import next_steps, weigh
from ml_orchestrator.health.models import DriftOverTime, DriftReport, TogetherDrift
from ml_orchestrator.health.over_time import dating_notice, drift_over_time
from ml_orchestrator.health.plots import onset_plot
from ml_orchestrator.health.report import check_drift

Table = dict[str, NDArray[Any]]
DAY_S = 86_400.0
N_DAYS, PER_DAY = 20, 60
TESTS = {"load": "wasserstein", "heat": "wasserstein", "kind": "jensen_shannon"}


def _table(seed: int, n: int) -> Table:
    rng = np.random.default_rng(seed)
    kinds = np.array(["a", "b", "c"], dtype=object)
    return {
        "load": rng.normal(size=n),
        "heat": rng.normal(size=n),
        "kind": rng.choice(kinds, n, p=[0.6, 0.3, 0.1]),
    }


REFERENCE = _table(0, 3_000)


def _later(seed: int, *, load_from: int | None = None, kind_from: int | None = None) -> Table:
    now = _table(seed, N_DAYS * PER_DAY)
    if load_from is not None:
        now["load"][load_from * PER_DAY :] += 1.0
    if kind_from is not None:
        now["kind"][kind_from * PER_DAY :] = np.array("c", dtype=object)
    return now


def _over_time(now: Table, **options: Any) -> DriftOverTime:
    days = np.floor(np.arange(N_DAYS * PER_DAY) / PER_DAY) * DAY_S
    return drift_over_time(
        REFERENCE, now, tests=TESTS, timeline=Timeline(days, is_time=True), chunk="1d", **options
    )


def test_each_column_is_dated_by_its_own_onset() -> None:
    found = _over_time(_later(1, load_from=12, kind_from=7))
    assert found.since == "1970-01-08"
    assert found.columns_since == {"kind": "1970-01-08", "load": "1970-01-13"}
    assert len(found.chunks) == N_DAYS
    assert found.chunks[-1].drifted_columns == ("kind", "load")
    assert found.chunks[-1].share_drifted == pytest.approx(2 / 3)
    assert found.summary == "Since 1970-01-08: 2 of 3 columns drifted, in 13 of 20 chunks."


def test_small_chunks_of_one_distribution_raise_alarms_at_the_nominal_rate() -> None:
    # The Wasserstein distance of 60 values from the reference is above 0.1 in most chunks.
    n_alarms = sum(_over_time(_later(seed)).since is not None for seed in range(1, 41))
    assert n_alarms <= 6  # binomial, mean 2: more in 5 of 1,000 sound cases


def test_a_difference_too_small_to_matter_is_no_drift_however_sure_it_is() -> None:
    now = _table(1, 60_000)
    now["load"] += 0.06
    before = _table(0, 60_000)
    assert drift_over_time(before, now, tests=TESTS, chunk="20000rows").since is None
    sure = drift_over_time(before, now, tests={**TESTS, "load": "ks"}, chunk="20000rows")
    assert set(sure.columns_since) == {"load"}


def test_a_column_that_empties_is_dated_by_its_first_chunk_without_a_value() -> None:
    now = _later(1, load_from=15)
    now["heat"][12 * PER_DAY + 10 :] = np.nan
    now["kind"][16 * PER_DAY :] = None
    found = _over_time(now)
    assert found.columns_since == {
        "heat": "1970-01-14",
        "load": "1970-01-16",
        "kind": "1970-01-17",
    }
    assert found.chunks[-1].drifted_columns == ("heat", "kind", "load")
    assert found.summary.endswith("Without any value in some of them: 'heat', 'kind'.")


def test_a_chunk_without_a_value_of_a_column_that_seldom_has_one_may_be_chance() -> None:
    rng = np.random.default_rng(2)
    sparse = [np.where(rng.random(n) < 0.02, rng.normal(size=n), np.nan) for n in (3_000, 1_000)]
    options: dict[str, Any] = {"tests": {"x": "wasserstein"}, "chunk": "20rows"}
    found = drift_over_time({"x": sparse[0]}, {"x": sparse[1]}, **options)
    assert (found.since, found.columns_since) == (None, {})
    # One of 10 rows has no value: of the 15 rows, 6 have none, and a chunk has 5 of those.
    reference = over_time._Reference.read("x", np.array([np.nan, *range(9)]), 0)
    assert reference.chance_of_none(5) == pytest.approx(math.comb(6, 5) / math.comb(15, 5))


def test_a_baseline_dates_what_its_data_date() -> None:
    samples = prepare_baseline(REFERENCE, source="x").samples
    now = _later(3, load_from=5)
    now["heat"][: 2 * PER_DAY] = np.nan
    options: dict[str, Any] = {"tests": TESTS, "chunk": f"{PER_DAY}rows"}
    found = drift_over_time(samples, now, **options)
    assert found == drift_over_time(REFERENCE, now, **options)
    assert found.columns_since["load"] == str(5 * PER_DAY + 1)


def _report(now: Table) -> DriftReport:
    return check_drift(REFERENCE, now, tests=TESTS)


def test_the_onset_is_drawn_and_follows_the_data() -> None:
    early, late = _later(1, load_from=3), _later(1, load_from=15)
    pictures = [onset_plot(_report(now), _over_time(now)) for now in (early, late, late)]
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] != pictures[1]
    assert pictures[1] == pictures[2]


def test_drift_matters_by_the_share_of_importance_that_it_touches() -> None:
    report = _report(_later(1, load_from=0, kind_from=0))
    assert set(report.drifted_columns) == {"load", "kind"}
    heavy = weigh(report, {"load": 0.3, "heat": 0.1, "kind": -0.01}, model="m/1")
    assert heavy.share == pytest.approx(0.75)
    assert heavy.matters is True
    assert [(c.column, c.importance_share) for c in heavy.columns] == [
        ("load", pytest.approx(0.75)),
        ("kind", 0.0),
    ]
    assert "75% of what m/1 relies on drifted, by 'load'" in heavy.summary
    light = weigh(report, {"heat": 0.4}, model="m/1")
    assert (light.share, light.matters) == (0.0, False)
    unknown = weigh(report, {}, model="m/1")
    assert (unknown.share, unknown.matters) == (None, None)
    assert "unknown" in unknown.summary


def test_drift_of_what_a_model_says_matters_though_it_relies_on_none_of_it() -> None:
    report = _report(_later(1, load_from=0))
    impact = weigh(report, {"heat": 1.0}, model="m/1", outcomes={"load"})
    assert (impact.share, impact.matters, impact.outcomes) == (0.0, True, ("load",))
    assert impact.columns == ()
    assert impact.summary == "Nothing that m/1 reads drifted. Its outcome drifted: 'load'."
    steps = next_steps(report.model_copy(update={"model": impact}))
    assert steps[0].startswith("Find the cause of the change in 'load'")
    assert steps[-1].startswith("Measure the model")


@pytest.mark.parametrize(
    ("named", "importances", "matters", "first", "last"),
    [
        ({"load": 0.2, "heat": 0.1}, {"heat": 0.3, "load": 0.1}, True, "'heat', 'load'", "Measure"),
        ({"kind": 0.2}, {"load": 0.3}, False, "the columns", "Leave the model"),
        ({}, {"load": 0.3}, None, "the columns", "Measure"),
        ({"load": 0.2}, {}, None, "'load'", "Measure"),
    ],
)
def test_columns_that_changed_only_together_are_weighed_where_they_are_named(
    named: dict[str, float],
    importances: dict[str, float],
    matters: bool | None,
    first: str,
    last: str,
) -> None:
    together = TogetherDrift(
        test="x",
        statistic=0.7,
        p_value=0.001,
        is_drifted=True,
        important_columns=named,
        summary="Together the columns drifted.",
    )
    report = _report(_table(9, 1_000)).model_copy(update={"together": together})
    assert not report.is_any_column_drifted
    impact = weigh(report, importances, model="m/1")
    assert impact.matters is matters
    steps = next_steps(report.model_copy(update={"model": impact}))
    assert steps[0] == f"No column changed by itself: look at how {first} hang together."
    assert steps[-1].startswith(last)


def test_what_to_do_follows_from_what_was_found() -> None:
    assert next_steps(_report(_table(9, 1_000))) == ("Nothing to do: go on watching.",)
    report = _report(_later(1, load_from=0))
    assert "Name the model" in next_steps(report)[1]
    light = report.model_copy(update={"model": weigh(report, {"heat": 1.0}, model="m/1")})
    assert next_steps(light)[-1].startswith("Leave the model as it is")
    holed = _later(1, load_from=0)
    holed["load"][::3] = np.nan
    assert "missing values of 'load' rose from 0% to 33%" in next_steps(_report(holed))[0]
    dated = report.model_copy(update={"over_time": _over_time(_later(1, load_from=4))})
    assert "which began at 1970-01-05" in next_steps(dated)[0]


def test_columns_are_named_by_what_the_model_relies_on_and_dated_by_themselves() -> None:
    now = _later(1, load_from=12, kind_from=7)
    now["heat"] += 1.0
    report = _report(now).model_copy(update={"over_time": _over_time(now)})
    assert report.over_time is not None
    assert report.over_time.since == "1970-01-01"
    assert set(report.drifted_columns) == {"load", "heat", "kind"}

    def first_step(importances: dict[str, float]) -> str:
        impact = weigh(report, importances, model="m/1")
        return next_steps(report.model_copy(update={"model": impact}))[0]

    both = first_step({"kind": 0.1, "load": 0.3, "heat": -0.01})
    assert "change in 'load', 'kind', which began at 1970-01-08:" in both
    assert "change in 'load', which began at 1970-01-13:" in first_step({"load": 0.3})
    unknown = ", ".join(map(repr, report.drifted_columns))
    assert f"change in {unknown}, which began at 1970-01-01:" in first_step({})
    assert first_step({"other": 0.3}).startswith("Leave the model as it is")


N_CHUNKS, AT_LAST = 10, 30


def _texts_and_vectors(seed: int, n: int, n_moved: int) -> Table:
    """Each text is of two themes; the last ``n_moved`` rows are of one, and point elsewhere.

    No word comes or goes and no text is longer, so that what shows it are permutations alone.
    """
    rng = np.random.default_rng(seed)
    themes = [[f"{letter}{i}" for i in range(400)] for letter in ("alpha", "beta")]
    is_first = np.full(n, 0.5)
    is_first[n - n_moved :] = 0.95
    note = np.empty(n, dtype=object)
    note[:] = [
        " ".join(str(rng.choice(themes[int(rng.random() > share)])) for _ in range(12))
        for share in is_first
    ]
    point = rng.normal(size=(n, 4))
    point[n - n_moved :] += 1.0
    return {"note": note, "point": point}


def test_texts_and_vectors_that_change_in_one_late_chunk_are_dated_beside_many_columns() -> None:
    rng = np.random.default_rng(4)
    n = N_CHUNKS * AT_LAST
    numbers = [{f"x{i}": rng.normal(size=size) for i in range(15)} for size in (150, n)]
    reference: Table = {**numbers[0], **_texts_and_vectors(5, 150, 0)}
    now: Table = {**numbers[1], **_texts_and_vectors(6, n, AT_LAST)}
    tests = {**dict.fromkeys(numbers[0], "ks"), "note": "text", "point": "mmd"}
    assert 2 * 0.05 / (len(tests) * N_CHUNKS) < LEAST_P["text"]  # beyond the usual permutations

    found = drift_over_time(reference, now, tests=tests, chunk=f"{AT_LAST}rows")

    last = str(n - AT_LAST + 1)
    assert found.columns_since == {"note": last, "point": last}
    assert "Not dated" not in found.summary


def test_a_large_reference_is_drawn_once_for_all_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = set()

    def watched(pair: Any, test: str) -> Any:
        sizes.add(pair.reference.values.size)
        return measure(pair, test)

    monkeypatch.setattr(over_time, "measure", watched)
    large = _table(0, 30_000)
    samples = prepare_baseline(large, source="x").samples
    now = _later(1, load_from=12)
    found = drift_over_time(large, now, tests=TESTS, chunk="60rows")
    assert sizes == {over_time.MOST_REFERENCE_ROWS}
    assert set(found.columns_since) == {"load"}
    assert found == drift_over_time(large, now, tests=TESTS, chunk="60rows")
    assert drift_over_time(samples, now, tests=TESTS, chunk="60rows").since == found.since
    assert "20,000 rows of the reference" in dating_notice(samples, TESTS)[0]
    assert dating_notice(REFERENCE, TESTS) == ()


def test_columns_of_different_lengths_cannot_be_cut() -> None:
    now = _table(1, 100)
    short = {**now, "heat": now["heat"][:70]}
    with pytest.raises(InvalidInputError, match="'load' has 100 rows and column 'heat' 70"):
        drift_over_time(REFERENCE, short, tests=TESTS, chunk="50rows")
    times = Timeline(np.arange(90.0), is_time=False)
    with pytest.raises(InvalidInputError, match="has 100 rows and the time column 90"):
        drift_over_time(REFERENCE, now, tests=TESTS, timeline=times)


def test_a_whole_that_drifted_without_any_chunk_has_no_beginning() -> None:
    report = _report(_later(1, load_from=0))
    still = _over_time(_later(2))
    assert still.since is None
    steps = next_steps(report.model_copy(update={"over_time": still}))
    assert "'load': unit" in steps[0]
    assert "None" not in steps[0]


def test_the_onset_is_drawn_by_the_place_of_a_chunk_whatever_it_is_called() -> None:
    now = _later(1, load_from=3, kind_from=9)
    found = _over_time(now)
    same = tuple(chunk.model_copy(update={"start": "then"}) for chunk in found.chunks)
    alike = found.model_copy(
        update={"chunks": same, "columns_since": {"kind": "then", "load": "then"}}
    )
    other = alike.model_copy(update={"columns_since": {}})
    assert onset_plot(_report(now), alike) == onset_plot(_report(now), other)
