"""ONNX files of pipelines: equal on ordinary and awkward rows, refused where they are not."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from tests.compression.worlds import World, mixed_world, planted_world, world

from ml_orchestrator.compression.equality import awkward_rows, compared, require_equal
from ml_orchestrator.compression.exporting.export import export_onnx
from ml_orchestrator.compression.quantising import quantised
from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError
from ml_orchestrator.modelfiles.onnx_file import OnnxClassifier, check_onnx, open_onnx
from ml_orchestrator.training.blend import BlendedClassifier, BlendedRegressor
from ml_orchestrator.training.dates import DateParts
from ml_orchestrator.training.trainers import TRAINERS

CLOSE = 1e-6  # sums over trees leave ONNX Runtime in 32 bits
FAMILIES = ("elastic_net", "extra_trees", "forest", "histogram_boosting", "lightgbm", "linear",
            "linear_boosting", "naive_bayes", "nearest", "neural_net")  # fmt: skip
QUICK = {"n_trees": 12, "n_rounds": 15, "width": 8}


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {kind: mixed_world(kind) for kind in ("two", "three", "number", "undated")}


def quick(trainer: str) -> dict[str, Any]:
    return {name: QUICK[name] for name in TRAINERS[trainer].first_params if name in QUICK}


def families(kind: str) -> list[str]:
    """Return all that fit; trees on waves of dates may split between last bits: they get none."""
    if kind == "undated":
        return ["linear_boosting"]
    left_out = {"nearest", "linear_boosting", "naive_bayes" if kind == "number" else ""}
    return [name for name in FAMILIES if name not in left_out]


@pytest.mark.parametrize(
    ("kind", "trainer"),
    [(k, t) for k in ("two", "three", "number", "undated") for t in families(k)],
)
def test_every_family_answers_the_same_on_raw_and_awkward_rows(
    worlds: dict[str, World], kind: str, trainer: str
) -> None:
    here = worlds[kind]
    model = here.fitted(trainer, **quick(trainer))
    exported = open_onnx(export_onnx(model))

    found = compared(model, exported, here.unseen)

    assert found.n_awkward > 100
    assert found.largest_difference < CLOSE
    assert found.n_other_classes == 0


def test_an_average_with_calibration_and_threshold_answers_the_same(
    worlds: dict[str, World],
) -> None:
    here = worlds["two"]
    members = [(n, here.fitted(n, **quick(n))) for n in ("linear", "forest", "neural_net")]
    model = BlendedClassifier(members, [0.5, 0.3, 0.2], 1.4, -0.3, 0.37)
    exported = open_onnx(export_onnx(model))

    assert compared(model, exported, here.unseen).largest_difference < CLOSE
    assert (exported.predict(here.unseen) == model.predict(here.unseen)).all()
    plain = BlendedClassifier(members, [0.5, 0.3, 0.2])
    assert (exported.predict(here.unseen) != plain.predict(here.unseen)).any()


def test_chosen_pairs_and_columns_answer_the_same() -> None:
    rng = np.random.default_rng(2)
    columns = {f"x{i}": rng.uniform(1, 3, 400) * (1 if i else -1) for i in range(5)}
    value = columns["x1"] * columns["x2"] + 3 * columns["x3"] / columns["x4"]
    here = world(pl.DataFrame(columns | {"y": value + rng.normal(0, 0.1, 400)}))
    model = here.fitted("linear", pairs="chosen", screening="shadows")
    pairs = model.named_steps["columns"].transformers_[0][1].steps[0][1]
    assert set(pairs.is_ratio_.tolist()) == {True, False}
    assert len(model.named_steps["screening"].kept_) < 5 + len(pairs.pairs_)

    found = compared(model, open_onnx(export_onnx(model)), here.unseen)

    assert found.largest_difference < CLOSE


def test_an_average_of_numbers_answers_the_same(worlds: dict[str, World]) -> None:
    here = worlds["undated"]
    model = BlendedRegressor(
        [(n, here.fitted(n)) for n in ("linear", "linear_boosting")], [0.5, 0.5]
    )

    assert compared(model, open_onnx(export_onnx(model)), here.unseen).largest_difference < CLOSE


def test_another_program_gets_labels_from_the_file_by_the_names_of_raw_columns() -> None:
    here = planted_world(300)
    model = here.fitted("linear")
    session = onnxruntime.InferenceSession(export_onnx(model))
    rows = here.unseen

    fed = {name: rows[[name]].to_numpy() for name in rows.columns}
    labels, shares = session.run(["label", "probabilities"], fed)

    assert labels.tolist() == model.predict(rows).tolist()
    np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-12)


@pytest.mark.parametrize("cyclic", [False, True])
def test_the_calendar_of_the_graph_is_that_of_pandas(cyclic: bool) -> None:
    rng = np.random.default_rng(0)
    moments = pd.to_datetime(rng.integers(-4_000_000_000, 8_000_000_000, 400), unit="s")
    edges = pd.to_datetime(
        ["1900-02-28T23:59:59", "2000-02-29", "2100-03-01", "1999-12-31T23:00"], format="ISO8601"
    )
    frame = pl.DataFrame({"t": [*moments.to_list(), *edges.to_list()]}).with_columns(
        pl.col("t").dt.year().cast(pl.Float64).alias("y")
    )
    here = world(frame)
    trainer = "linear" if cyclic else "histogram_boosting"
    model = here.fitted(trainer)
    assert any(
        isinstance(step, DateParts) and step.cyclic == cyclic
        for _, chain, _ in model.named_steps["columns"].transformers_
        for step in chain.named_steps.values()
    )

    found = compared(model, open_onnx(export_onnx(model)), here.table.features)

    assert found.largest_difference < CLOSE


def altered(content: bytes, change: Any) -> bytes:
    model = onnx.load_model_from_string(content)
    change(model.graph)
    return bytes(model.SerializeToString())


def nudge(tensor: onnx.TensorProto, by: float) -> None:
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] += by
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def test_an_export_with_one_weight_altered_is_not_equal() -> None:
    here = planted_world(300)
    model = here.fitted("linear")

    def change(graph: onnx.GraphProto) -> None:
        product = next(node for node in graph.node if node.op_type == "MatMul")
        nudge(next(c for c in graph.initializer if c.name == product.input[1]), 0.01)

    wrong = open_onnx(altered(export_onnx(model), change))

    with pytest.raises(IntegrityViolationError, match="differs from the pipeline by"):
        require_equal(compared(model, wrong, here.unseen))


def test_an_export_with_one_leaf_altered_is_not_equal() -> None:
    here = planted_world(300)
    model = here.fitted("forest", n_trees=5)

    def change(graph: onnx.GraphProto) -> None:
        trees = next(node for node in graph.node if node.op_type == "TreeEnsembleRegressor")
        nudge(next(a.t for a in trees.attribute if a.name == "target_weights_as_tensor"), 0.01)

    wrong = open_onnx(altered(export_onnx(model), change))

    with pytest.raises(IntegrityViolationError, match="it is not kept"):
        require_equal(compared(model, wrong, here.table.features))


def test_awkward_rows_miss_each_column_and_hold_what_was_never_seen(
    worlds: dict[str, World],
) -> None:
    rows = awkward_rows(worlds["two"].unseen)

    assert all(rows[name].isna().sum() >= 16 for name in rows.columns)
    assert (rows["c"] == "never seen before").sum() == 8
    assert rows["n"].max() > 1e5
    assert rows.isna().all(axis=1).sum() == 8


def test_what_cannot_be_written_is_refused_with_a_way_out(worlds: dict[str, World]) -> None:
    with pytest.raises(InvalidInputError, match=r"KNeighborsClassifier .*distil it first"):
        export_onnx(worlds["two"].fitted("nearest"))
    words = [
        f"the {w} was good in house {i} by the sea" for i, w in enumerate(["food", "room"] * 60)
    ]
    frame = pl.DataFrame({"note": words, "x": range(120), "y": ["a", "b"] * 60})
    with pytest.raises(InvalidInputError, match=r"TextTopics .*column_types: ignore"):
        export_onnx(world(frame).fitted("linear"))


def test_a_quantised_net_is_smaller_and_nearly_the_same() -> None:
    here = planted_world(400)
    model = here.fitted("neural_net", width=256, n_layers=2)
    single = export_onnx(model, single=True)

    small = quantised(single)

    assert len(small) < 0.4 * len(single) < 0.3 * len(export_onnx(model))
    found = compared(model, open_onnx(small), here.unseen)
    assert found.largest_difference > 1e-5
    agrees = open_onnx(small).predict(here.unseen) == model.predict(here.unseen)
    assert agrees.mean() > 0.95


def test_trees_have_nothing_to_quantise() -> None:
    here = planted_world(300)
    with pytest.raises(InvalidInputError, match="no matrix products"):
        quantised(export_onnx(here.fitted("forest", n_trees=3), single=True))


@pytest.fixture(scope="module")
def sound() -> bytes:
    return export_onnx(planted_world(300).fitted("linear"))


def test_a_sound_file_is_opened_and_says_what_it_takes(sound: bytes) -> None:
    opened = open_onnx(sound)
    assert isinstance(opened, OnnxClassifier)
    assert opened.classes_.tolist() == ["no", "yes"]
    assert opened.feature_names_in_.tolist() == [f"x{i}" for i in range(6)]
    assert "all on our list" in check_onnx(sound)


def _other_operator(graph: onnx.GraphProto) -> None:
    graph.node[0].op_type = "Loop"


def _other_domain(graph: onnx.GraphProto) -> None:
    graph.node[0].domain = "com.example"


def _outside(graph: onnx.GraphProto) -> None:
    graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")


def _within(graph: onnx.GraphProto) -> None:
    inner = onnx.helper.make_attribute("body", onnx.helper.make_graph([], "inner", [], []))
    graph.node[0].attribute.append(inner)


def _renamed(graph: onnx.GraphProto) -> None:
    old = graph.input[0].name
    graph.input[0].name = "other"
    for node in graph.node:
        node.input[:] = ["other" if name == old else name for name in node.input]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_other_operator, "uses the operator :Loop"),
        (_other_domain, "uses the operator com.example"),
        (_outside, "names another file"),
        (_within, "a graph within a graph"),
        (_renamed, "other columns than it takes"),
    ],
)
def test_a_file_with_more_than_our_operators_is_not_opened(
    sound: bytes, change: Any, why: str
) -> None:
    with pytest.raises(IntegrityViolationError, match=why):
        open_onnx(altered(sound, change))


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04 no graph"])
def test_what_is_no_onnx_file_is_not_opened(content: bytes) -> None:
    with pytest.raises(IntegrityViolationError, match="it was not loaded"):
        open_onnx(content)
