"""Performance over time: estimates are held against labels that came later."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.chunks import Timeline, cut
from ml_orchestrator.health.performance import cbpe, models
from ml_orchestrator.health.performance.advice import missed_beyond_chance
from ml_orchestrator.health.performance.check import check_performance
from ml_orchestrator.health.performance.models import PerformanceReport, Range, Score
from ml_orchestrator.health.performance.predictions import Predicted, read_predictions
from ml_orchestrator.numerics.class_scores import drawn_scores

N_CHUNKS, N_IN_CHUNK = 12, 1_000
Table = dict[str, NDArray[Any]]


def _two_classes(
    seed: int, mean: float, n: int, *, distort: float = 1.0, slope: float = 2.0
) -> Table:
    """The model says sigmoid(2x - 0.5) to the power of ``distort``; the truth follows slope x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, n)
    score = expit(2 * x - 0.5) ** distort
    truth = np.where(rng.uniform(size=n) < expit(slope * x - 0.5), "yes", "no").astype(object)
    said = np.where(score > 0.5, "yes", "no").astype(object)
    return {"truth": truth, "said": said, "p_yes": score, "x": x}


def _joined(tables: list[Table]) -> Table:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _read(table: Table, classes: tuple[str, ...] | None = None, **options: Any) -> Predicted:
    given = {"target": "truth", "prediction": "said", "probabilities": {"yes": "p_yes"}, **options}
    return read_predictions(
        table, side="current" if classes is not None else "reference", classes=classes, **given
    )


def _report(
    make: Callable[..., Table],
    *,
    later: dict[str, Any] | None = None,
    with_labels: bool = True,
    **options: Any,
) -> PerformanceReport:
    """A reference at mean 0; chunks whose mean rises to 1.5, changed otherwise in the last half."""
    before = _read(make(0, 0.0, 6_000), **options)
    half = N_CHUNKS // 2
    now = _joined(
        [
            make(i + 1, 1.5 * i / N_CHUNKS, N_IN_CHUNK, **((later or {}) if i >= half else {}))
            for i in range(N_CHUNKS)
        ]
    )
    if not with_labels:
        del now["truth"]
    return check_performance(
        before, _read(now, before.classes, **options), chunk=f"{N_IN_CHUNK}rows"
    )


@pytest.mark.parametrize("distort", [1.0, 3.0])
def test_under_covariate_shift_the_estimate_is_what_labels_show(distort: float) -> None:
    report = _report(lambda *a, **k: _two_classes(*a, distort=distort, **k))
    assert (report.method, report.task, len(report.chunks)) == ("cbpe", "classification", 12)
    for name in ("roc_auc", "accuracy", "f1_macro"):
        metric = report.metrics[name]
        # The standard error of a score of 1,000 rows is about 0.013; 95 % of 12 intervals hold,
        # and all but 3 do so for 999 in 1,000 sound estimates.
        assert metric.estimate_gap is not None
        assert metric.estimate_gap < 0.016
        assert metric.coverage is not None
        assert metric.coverage >= 9 / 12


def test_a_shift_that_really_lowers_the_accuracy_is_seen_without_labels() -> None:
    # A model that is perfectly calibrated is least sure, hence least accurate, around x = 0.25.
    before = _read(_two_classes(0, 2.5, 4_000))
    now = _two_classes(1, 2.5, 2_000), _two_classes(2, 0.25, 2_000)
    later = _joined([*now])
    realised = np.mean((later["truth"] == later["said"])[2_000:])
    del later["truth"]
    report = check_performance(before, _read(later, before.classes), chunk="1000rows")
    accuracy = report.metrics["accuracy"]
    assert (accuracy.worse_since, accuracy.n_worse) == ("2001", 2)
    assert report.chunks[-1].n_labelled == 0
    estimated = [chunk.scores["accuracy"].estimated for chunk in report.chunks[2:]]
    assert np.mean([e.value for e in estimated if e]) == pytest.approx(realised, abs=0.02)


def test_concept_drift_is_unseen_without_labels_which_the_report_says() -> None:
    report = _report(_two_classes, later={"slope": -2.0}, with_labels=False)
    assert not report.metrics["accuracy"].n_worse
    assert report.assumption is not None
    assert "concept drift" in report.assumption
    assert "cannot see concept drift" in report.next_steps[0]
    assert "estimated without labels" in report.summary


def test_concept_drift_is_seen_with_labels_which_contradict_the_estimate() -> None:
    report = _report(_two_classes, later={"slope": -2.0})
    assert (report.is_worse, report.since) == (True, "6001")
    assert report.metrics["roc_auc"].n_worse == 6
    assert report.metrics["accuracy"].coverage == pytest.approx(0.5, abs=0.1)
    assert "Labels contradict the estimates" in report.next_steps[0]


@pytest.mark.parametrize(
    ("n_missed", "n_chunks", "said"),
    [
        (0, 0, None),
        (1, 1, None),
        (1, 2, None),
        (1, 4, None),
        (2, 2, "2 of 2"),
        (3, 4, "3 of 4"),
        (6, 12, "6 of 12"),
    ],
)
def test_labels_contradict_estimates_only_if_chance_seldom_does(
    n_missed: int, n_chunks: int, said: str | None
) -> None:
    near, far = (Range(value=v, low=v, high=v) for v in (0.5, 0.9))
    interval = Range(value=0.5, low=0.4, high=0.6)
    scores = [
        Score(realised=far if i < n_missed else near, estimated=interval, is_worse=False)
        for i in range(n_chunks)
    ]
    assert missed_beyond_chance(scores) == said


def _values(seed: int, mean: float, n: int, *, offset: float = 0.0) -> Table:
    """Errors grow with |x|, so a shift of x makes the model worse."""
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, n)
    kind = rng.choice(np.array(["loud", "calm"], dtype=object), n)
    noise = rng.normal(size=n) * (0.5 + np.abs(x)) * np.where(kind == "loud", 2, 1)
    return {"truth": 3 * x + offset + noise, "said": 3 * x, "x": x, "kind": kind}


def test_errors_that_grow_with_the_inputs_are_estimated_without_labels() -> None:
    report = _report(_values, probabilities=None)
    assert (report.method, report.task) == ("dle", "regression")
    for name in ("mae", "rmse"):
        metric = report.metrics[name]
        assert metric.estimate_gap is not None
        # Errors double over the chunks; inputs come to lie at the rim of the reference.
        assert metric.estimate_gap < 0.12 * metric.reference
        assert metric.coverage is not None
        assert metric.coverage >= 8 / 12
    assert report.is_worse


def test_a_target_that_moved_is_unseen_by_the_loss_model_and_seen_by_labels() -> None:
    seen = _report(_values, probabilities=None, later={"offset": 6.0})
    estimated = seen.chunks[-1].scores["mae"].estimated
    realised = seen.chunks[-1].scores["mae"].realised
    assert estimated is not None
    assert realised is not None
    assert estimated.high < realised.low
    assert seen.metrics["mae"].coverage is not None
    assert seen.metrics["mae"].coverage < 0.6


def test_a_model_as_good_as_before_raises_an_alarm_at_the_nominal_rate() -> None:
    before = _read(_two_classes(0, 0.0, 20_000))
    n_alarms = 0
    for seed in range(1, 31):
        now = _read(_two_classes(seed, 0.0, 1_500), before.classes)
        now = Predicted(now.truth, now.predicted, np.empty((0, 2)), {}, now.classes)
        report = check_performance(
            Predicted(before.truth, before.predicted, now.probabilities, {}, before.classes),
            now,
            chunk="300rows",
        )
        n_alarms += report.metrics["accuracy"].n_worse > 0
    assert n_alarms <= 5  # binomial, mean 1.5: more in 3 of 1,000 sound cases


def test_classes_of_numbers_and_three_of_them_are_read() -> None:
    rng = np.random.default_rng(3)
    chances = rng.dirichlet([1, 1, 1], 900)
    truth = (chances.cumsum(axis=1) < rng.uniform(size=(900, 1))).sum(axis=1).astype(float)
    truth[:5] = np.nan
    table = {"t": truth, "a": chances[:, 0], "b": chances[:, 1], "x": chances[:, 0]}
    found = read_predictions(
        table, side="reference", target="t", prediction=None, probabilities={"0": "a", "1": "b"}
    )
    assert found.classes == ("0", "1", "2")
    assert np.allclose(found.probabilities, chances)
    assert found.is_labelled.sum() == 895
    assert set(found.features) == {"x"}
    report = check_performance(found, found)
    assert report.metrics["roc_auc"].reference == pytest.approx(
        report.chunks[0].scores["roc_auc"].estimated.value,  # type: ignore[union-attr]
        abs=0.1,
    )


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"target": "ghost"}, "reference sample has no column 'ghost'; it has truth, said"),
        ({}, {"prediction": None, "probabilities": None}, "Name the column of the prediction"),
        ({}, {"probabilities": {"yes": "x"}}, "'x' of the reference sample must hold probabil"),
        ({}, {"probabilities": {"maybe": "p_yes"}}, "At most one class may go without a column"),
        ({}, {"probabilities": {"yes": "p_yes", "no": "p_yes"}}, "do not add up to 1"),
        ({"said": np.array(["si"] * 200, dtype=object)}, {}, "'said' .* holds 'si', which is no"),
        ({"truth": np.array([None] * 200, dtype=object)}, {}, "The target has 1 classes"),
        ({"truth": np.array(["yes"] * 200, dtype=object)}, {}, "The target has 1 classes"),
        (
            {"truth": np.array(["yes", "no"] + [None] * 198, dtype=object)},
            {},
            "has 2 rows with a label; 30 are needed",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(
    change: Table, options: dict[str, Any], message: str
) -> None:
    table = {**_two_classes(0, 0.0, 200), **change}
    with pytest.raises(InvalidInputError, match=message):
        check_performance(_read(table, **options), _read(table, **options))


def test_without_labels_and_probabilities_there_is_nothing_to_judge() -> None:
    table = _two_classes(0, 0.0, 200)
    before = _read(table, probabilities=None)
    del table["truth"]
    now = _read(table, before.classes, probabilities=None)
    with pytest.raises(InvalidInputError, match="or wait for labels"):
        check_performance(before, now)


DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("chunk", "starts"),
    [
        ("1d", ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]),
        ("1w", ["2026-01-30", "2026-02-02"]),
        ("1mo", ["2026-01-30", "2026-02-01"]),
        ("36h", ["2026-01-30", "2026-01-31", "2026-02-01T12:00:00"]),
        ("8rows", ["2026-01-30", "2026-02-01"]),
        (None, ["2026-01-30"]),
    ],
)
def test_rows_are_cut_by_the_calendar_whatever_their_order(
    chunk: str | None, starts: list[str]
) -> None:
    moments = 20_483 * DAY_S + np.arange(14) * DAY_S / 4  # from 2026-01-30 on, four a day
    moved = np.append(moments[::-1], np.nan)
    parts = cut(15, Timeline(moved, is_time=True), chunk)
    assert [part.start for part in parts] == starts
    assert np.concatenate([part.rows for part in parts]).tolist() == list(range(13, -1, -1))


@pytest.mark.parametrize(
    ("chunk", "timeline", "message"),
    [
        ("1d", None, "'1d' needs a column of dates or times"),
        ("daily", None, "A chunk must be written like 500rows.*; found 'daily'"),
        ("1rows", None, "makes 600 chunks; at most 500"),
        (None, Timeline(np.full(600, np.nan), is_time=True), "No row has a value"),
    ],
)
def test_a_chunk_that_cannot_be_cut_is_refused(
    chunk: str | None, timeline: Timeline | None, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        cut(600, timeline, chunk)


@pytest.mark.parametrize("name", models.__all__)
def test_every_field_of_a_performance_record_is_described(name: str) -> None:
    for field, info in getattr(models, name).model_fields.items():
        assert info.description, f"{name}.{field}"


def test_a_reference_smaller_than_a_chunk_does_not_raise_alarms_by_its_own_chance() -> None:
    n_alarms = 0
    for seed in range(20):
        before = _read(_two_classes(1_000 + seed, 0.0, 150), probabilities=None)
        now = _read(_two_classes(seed, 0.0, 5_000), before.classes, probabilities=None)
        n_alarms += check_performance(before, now, chunk="500rows").is_worse
    assert n_alarms <= 3  # binomial, mean at most 1: more in 2 of 100 sound cases; seeds are fixed


def test_a_model_that_ranks_as_before_but_decides_worse_is_worse() -> None:
    before = _read(_two_classes(0, 0.0, 2_000))
    later = _two_classes(1, 0.0, 2_000)
    later["said"] = np.where(later["p_yes"] > 0.95, "yes", "no").astype(object)
    report = check_performance(before, _read(later, before.classes), chunk="500rows")
    assert report.is_worse
    assert report.metrics["roc_auc"].n_worse == 0
    assert report.metrics["accuracy"].n_worse == 4
    assert report.since == "1"
    assert "accuracy is beyond" in report.summary
    assert "roc_auc" not in report.summary
    assert any(step.startswith("accuracy, ") for step in report.next_steps)


def test_a_label_that_the_reference_lacks_is_refused_by_name() -> None:
    before = _read(_two_classes(0, 0.0, 200))
    later = _two_classes(1, 0.0, 200)
    later["truth"][:2] = ["maybe", None]
    with pytest.raises(
        InvalidInputError, match=r"'truth' of the current sample .* 'maybe'.*no, yes"
    ):
        _read(later, before.classes)


@pytest.mark.parametrize(
    ("truth", "said", "classes"),
    [
        ([0, 1, np.nan, 1], [0.0, 1.0, 1.0, 0.0], ("0", "1")),
        ([0, 0, 0, 0], [0, 1, 0, 0], ("0", "1")),
        ([True, False, True, True], [True, True, True, False], ("False", "True")),
        ([0, 1, 0, 1], [0.2, 1.0, 0.0, 1.0], ()),
        ([0, 1, 2, 1], [0, 1, 1, 1], ()),
    ],
)
def test_labels_and_predictions_of_0_and_1_are_classes(
    truth: list[float], said: list[float], classes: tuple[str, ...]
) -> None:
    table = {"truth": np.array(truth), "said": np.array(said)}
    assert _read(table, probabilities=None).classes == classes


def test_draws_of_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*args: Any, n_draws: int, **rest: Any) -> Any:
        asked.append(n_draws)
        return drawn_scores(*args, n_draws=n_draws, **rest)

    monkeypatch.setattr(cbpe, "drawn_scores", counted)
    monkeypatch.setattr(cbpe, "MOST_DRAWN", 20_000)
    rows = _read(_two_classes(0, 0.0, 500))
    cbpe.ConfidenceEstimator(rows, seed=0).estimate(rows)
    assert sum(asked) == 40
    asked.clear()
    monkeypatch.setattr(cbpe, "MOST_DRAWN", 1)
    cbpe.ConfidenceEstimator(rows, seed=0).estimate(rows)
    assert sum(asked) == cbpe.LEAST_DRAWS


@pytest.mark.parametrize(
    ("value", "label"), [(1_000_001.0, "1000001"), (0.1234567891, "0.1234567891"), (-2.0, "-2")]
)
def test_moments_that_differ_have_names_that_differ(value: float, label: str) -> None:
    assert Timeline(np.array([value]), is_time=False).label(value) == label
