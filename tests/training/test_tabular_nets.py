"""Nets as arrays: what they say is as it is written down, loaded and asked without PyTorch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from tests.training.nets import draw_in_place_of_learning
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError
from ml_orchestrator.modelfiles.skops_file import check_types, load_skops
from ml_orchestrator.numerics import tabular_net
from ml_orchestrator.numerics.tabular_net import (
    Shape,
    answers,
    checked,
    forward,
    fresh_arrays,
    held_back,
)
from ml_orchestrator.training import net_models
from ml_orchestrator.training.families import unknown_trainer
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.net_models import NetClassifier, NetRegressor
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainer import Problem
from ml_orchestrator.training.trainers.torch_net import TorchNet
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

SHAPE = Shape(n_pieces=4, n_blocks=2, width=3, n_members=2)
ASK = """
import json, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
import numpy as np
from pathlib import Path
from ml_orchestrator.modelfiles.skops_file import load_skops
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES
folder = Path(sys.argv[1])
classes, numbers = (
    load_skops(folder / f"{name}.skops", extra_trusted=EXTRA_TRUSTED_TYPES)
    for name in ("classes", "numbers")
)
rows = np.load(folder / "rows.npy")
found = [classes.predict_proba(rows), numbers.predict(rows), classes.classes_]
print(json.dumps([each.tolist() for each in found]))
"""


def rows(n_rows: int = 40) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    return np.column_stack([rng.normal(size=n_rows), rng.integers(0, 2, n_rows), np.ones(n_rows)])


def some_arrays(n_outputs: int = 3) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    arrays = fresh_arrays(rows(), SHAPE, n_outputs, rng)
    for name in [name for name in arrays if name not in tabular_net.FIXED]:
        arrays[name] = rng.normal(size=arrays[name].shape).astype(np.float32)
    return arrays


def one_by_one(a: dict[str, NDArray[Any]], row: NDArray[np.float64], member: int) -> list[float]:
    """Say what a member says of a row, number by number."""

    def levelled(state: list[float], gain: Any, offset: Any) -> list[float]:
        mean = sum(state) / len(state)
        variance = sum((s - mean) ** 2 for s in state) / len(state)
        return [(s - mean) / (variance + 1e-5) ** 0.5 * g + o
                for s, g, o in zip(state, gain, offset, strict=True)]  # fmt: skip

    def through(state: list[float], weights: Any, shift: Any) -> list[float]:
        return [sum(s * float(w) for s, w in zip(state, column, strict=True)) + float(b)
                for column, b in zip(weights.T, shift, strict=True)]  # fmt: skip

    pieces = []
    for i, column in enumerate(a["columns"]):
        place = (row[column] - a["left"][i]) / a["width"][i]
        pieces.append(min(max(place, a["low"][i]), a["high"][i]) * float(a["signs"][member, i]))
    state = through(pieces, a["first"], a["first_shift"])
    for i in range(SHAPE.n_blocks):
        inner = levelled(state, a[f"gain_{i}"], a[f"offset_{i}"])
        inner = [max(0.0, x) for x in through(inner, a[f"up_{i}"], a[f"up_shift_{i}"])]
        added = through(inner, a[f"down_{i}"], a[f"down_shift_{i}"])
        state = [s + x for s, x in zip(state, added, strict=True)]
    last = [max(0.0, x) for x in levelled(state, a["last_gain"], a["last_offset"])]
    return through(last, a["heads"][member], a["heads_shift"][member, 0])


def test_the_net_says_what_it_says_number_by_number() -> None:
    arrays, asked = some_arrays(), rows() * 3  # some lie beyond what was seen

    said = forward(checked(arrays), asked)

    expected = [[one_by_one(arrays, row, member) for row in asked] for member in range(2)]
    np.testing.assert_allclose(said, expected, rtol=1e-10, atol=1e-12)


def test_many_rows_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = checked(some_arrays())
    whole = forward(exact, rows())
    monkeypatch.setattr(tabular_net, "MOST_NUMBERS", 2 * 5 * 9)  # nine rows of both members

    parts = list(answers(exact, rows()))

    assert [part.shape[1] for part in parts] == [9, 9, 9, 9, 4]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)


def test_columns_bend_at_their_quantiles_and_go_on_in_a_line_for_a_while() -> None:
    values = np.column_stack([np.arange(101.0), np.full(101, 7.0), np.arange(101) % 2])
    arrays = fresh_arrays(values, SHAPE, 1, np.random.default_rng(0))

    assert arrays["columns"].tolist() == [0, 0, 0, 0, 2]  # one value tells nothing
    assert arrays["left"].tolist() == [0, 25, 50, 75, 0]
    assert arrays["width"].tolist() == [25, 25, 25, 25, 1]
    asked = np.array([[-500.0, 7, 0], [30, 7, 1], [125, 7, 1]])
    pieces = (asked[:, arrays["columns"]] - arrays["left"]) / arrays["width"]
    held = pieces.clip(arrays["low"], arrays["high"])
    assert held.tolist() == [[-2, 0, 0, 0, 0], [1, 0.2, 0, 0, 1], [1, 1, 1, 2, 1]]


def test_a_table_in_which_nothing_varies_has_a_net_all_the_same() -> None:
    arrays = fresh_arrays(np.ones((9, 2)), SHAPE, 1, np.random.default_rng(0))

    said = forward(checked(arrays), np.array([[1.0, 1.0], [50.0, 2.0]]))

    assert (said[:, 0] == said[:, 1]).all()


def test_rows_held_back_are_the_last_in_time_and_else_a_share_of_each_class() -> None:
    classes = np.repeat([0, 1, 2], [100, 40, 3])

    later = held_back(classes, 0, is_ordered=True)
    drawn = held_back(classes, 0, is_ordered=False)

    assert np.flatnonzero(later).tolist() == list(range(122, 143))
    assert np.bincount(classes[drawn]).tolist() == [15, 6]  # none of the three rows of the third
    assert (drawn == held_back(classes, 0, is_ordered=False)).all()
    assert (drawn != held_back(classes, 1, is_ordered=False)).any()
    assert not held_back(np.zeros(5, np.int64), 0, is_ordered=False).any()


def test_saved_nets_are_loaded_and_asked_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_in_place_of_learning(monkeypatch)
    labels = np.array(["no", "yes", "maybe"])[np.arange(40) % 3]
    classes = NetClassifier(seed=3).fit(rows(), labels)
    numbers = NetRegressor(seed=3).fit(rows(), rows()[:, 0] * 1_000)
    skops.io.dump(classes, tmp_path / "classes.skops")
    skops.io.dump(numbers, tmp_path / "numbers.skops")
    np.save(tmp_path / "rows.npy", rows() * 2)

    ran = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    shares, values, names = json.loads(ran.stdout)
    assert names == ["maybe", "no", "yes"]
    np.testing.assert_allclose(shares, classes.predict_proba(rows() * 2), rtol=1e-12)
    np.testing.assert_allclose(values, numbers.predict(rows() * 2), rtol=1e-12)
    np.testing.assert_allclose(np.sum(shares, axis=1), 1)
    assert np.std(values) > 1


def test_a_pipeline_with_a_net_holds_types_on_our_list_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_in_place_of_learning(monkeypatch)
    table = prepare_table(TrainingSpec(source="t.csv", target="y"), dataset_of(mixed_table()))
    entry = TorchNet()
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=-1)
    pipeline = fit(
        build_pipeline(table.kinds, entry.needs, estimator), table, np.arange(len(table.codes))
    )
    path = tmp_path / "pipeline.skops"
    skops.io.dump(pipeline, path)

    assert "all on our list" in check_types(path, extra_trusted=EXTRA_TRUSTED_TYPES)
    loaded = load_skops(path, extra_trusted=EXTRA_TRUSTED_TYPES)
    np.testing.assert_array_equal(
        loaded.predict_proba(table.features), pipeline.predict_proba(table.features)
    )
    assert loaded.named_steps["model"].n_jobs is None


def test_fitting_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "ml_orchestrator.training.trainers._torch", raising=False)

    with pytest.raises(InvalidInputError, match=r"pip install 'ml-orchestrator-mcp\[torch\]=="):
        NetRegressor().fit(rows(), rows()[:, 0])


def test_the_family_that_is_not_there_is_named_with_its_extra() -> None:
    assert "pip install 'ml-orchestrator-mcp[torch]==" in str(unknown_trainer("torch_net"))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("first", np.zeros((2, 3))),
        ("columns", np.array([-1, 0, 0, 0, 1])),
        ("columns", np.zeros(5)),
        ("left", np.zeros((5, 1))),
        ("heads_shift", None),
        ("up_shift_7", np.zeros(3)),
        ("gain_0", np.array(list("abc"))),
        ("up_0", np.full((3, 3), np.nan)),
        ("low", np.full(5, -np.inf)),
        ("width", np.zeros(5)),
        ("columns", np.array([0, 0, 0, 0, 99])),
        ("columns", np.array([0, 0, 0, 0, 3])),
    ],
)
def test_arrays_that_do_not_belong_together_are_not_asked(name: str, array: Any) -> None:
    model = of_arrays(some_arrays())
    assert len(model.predict(rows())) == 40
    model.arrays_ = {**model.arrays_, name: array}
    if array is None:
        del model.arrays_[name]

    with pytest.raises(IntegrityViolationError, match="do not belong together"):
        model.predict(rows())


def test_arrays_are_checked_once_and_again_when_they_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = of_arrays(some_arrays())
    looked_at: list[Any] = []

    def noted(arrays: Any) -> Any:
        looked_at.append(arrays)
        return checked(arrays)

    monkeypatch.setattr(net_models, "checked", noted)

    first, again = model.predict(rows()), model.predict(rows())
    skops.io.dump(model, tmp_path / "net.skops")
    loaded = load_skops(tmp_path / "net.skops", extra_trusted=EXTRA_TRUSTED_TYPES)
    assert (loaded.predict(rows()) == first).all()
    loaded.predict(rows())

    assert (again == first).all()
    assert list(map(id, looked_at)) == [id(model.arrays_), id(loaded.arrays_)]
    assert vars(loaded).keys() == vars(model).keys()


def of_arrays(arrays: Any) -> Any:
    """Return a model of three classes and three columns."""
    model = NetClassifier()
    model.classes_, model.n_features_in_, model.arrays_ = np.arange(3), 3, arrays
    return model


def sized(members: int, n: int, width: int, n_outputs: int) -> dict[str, NDArray[Any]]:
    """Return a net without blocks of any sizes, so of nothing too."""
    fixed = {name: np.ones(n) for name in ("left", "width", "low", "high")}
    return {
        **fixed,
        "columns": np.zeros(n, dtype=np.int64),
        "signs": np.ones((members, n)),
        "first": np.ones((n, width)),
        **{name: np.ones(width) for name in ("first_shift", "last_gain", "last_offset")},
        "heads": np.ones((members, width, n_outputs)),
        "heads_shift": np.ones((members, 1, n_outputs)),
    }


@pytest.mark.parametrize("arrays", [
    sized(20_000_000, 0, 8, 0), sized(0, 2, 8, 3), sized(1, 2, 0, 3), sized(1, 2, 8, 0),
    sized(1, 2, 8, 5), sized(1, 2, 8, 2), np.zeros(3), [], None,
])  # fmt: skip
def test_arrays_of_nothing_and_of_other_classes_are_not_asked(arrays: Any) -> None:
    assert of_arrays(sized(1, 2, 8, 3)).predict(rows()).shape == (40,)

    with pytest.raises(IntegrityViolationError, match="do not belong together"):
        of_arrays(arrays).predict(rows())


def test_a_number_has_one_output() -> None:
    model = NetRegressor()
    model.middle_, model.spread_, model.n_features_in_ = 0.0, 1.0, 3
    model.arrays_ = sized(1, 2, 8, 1)
    assert model.predict(rows()).shape == (40,)
    model.arrays_ = sized(1, 2, 8, 2)

    with pytest.raises(IntegrityViolationError, match="2 outputs for 1"):
        model.predict(rows())


def test_a_net_is_built_for_its_problem() -> None:
    entry = TorchNet()
    even, odd = (Problem("classification", 2, is_imbalanced=uneven) for uneven in (False, True))
    params = {**entry.first_params, "class_weight": "balanced"}

    assert entry.build(odd, params, seed=0, n_jobs=None).class_weight == "balanced"
    assert entry.build(even, entry.first_params, seed=0, n_jobs=None).class_weight is None
    upper = Problem("regression", quantile=0.9, is_ordered=True)
    net = entry.build(upper, entry.first_params, seed=5, n_jobs=None)
    assert (net.quantile, net.is_ordered, net.seed) == (0.9, True, 5)
