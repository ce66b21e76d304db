"""The family that PyTorch learns, where it is installed; see ``test_tabular_nets`` for the rest."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from tests.training.tables import dataset_of

from ml_orchestrator.doors import import_alone
from ml_orchestrator.modelfiles.skops_file import load_skops
from ml_orchestrator.numerics.tabular_net import held_back
from ml_orchestrator.training.epochs import hearing
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.net_models import NetClassifier, NetRegressor
from ml_orchestrator.training.search import train
from ml_orchestrator.training.trainers import TRAINERS
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

if not os.environ.get("NEED_TORCH"):  # `make test-torch` sets it: there nothing is skipped
    pytest.importorskip("torch", reason="the extra torch is optional: make test-torch")
torch: Any = import_module("torch")
learning: Any = import_alone("ml_orchestrator.training.trainers._torch")

QUICK: dict[str, Any] = {"width": 16, "n_members": 2, "learning_rate": 1e-2}


def waves(n_rows: int = 700) -> tuple[Any, Any]:
    """Return columns, and a number that follows two of them in bends, with noise of 0.2."""
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (n_rows, 4))
    target = np.sin(4 * values[:, 0]) + np.abs(values[:, 1]) * values[:, 2]
    return values, 100 + 10 * (target + rng.normal(0, 0.2, n_rows))


def rings(n_rows: int = 600) -> tuple[Any, Any]:
    """Return three classes by the distance from the middle."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n_rows, 2))
    far = np.linalg.norm(values, axis=1)
    return values, np.where(far < 0.8, "near", np.where(far < 1.5, "between", "far"))


def test_bends_are_learnt_and_learning_stops_early() -> None:
    values, target = waves()
    net = NetRegressor(**QUICK).fit(values[:500], target[:500])

    left = target[500:] - net.predict(values[500:])
    assert np.std(left) < 3.2  # the noise alone is 2, the target 8.8, a line leaves 5
    assert 5 < net.n_epochs_ < learning.MAX_EPOCHS


def test_rings_are_told_apart() -> None:
    values, labels = rings()
    net = NetClassifier(**QUICK).fit(values[:450], labels[:450])

    assert np.mean(net.predict(values[450:]) == labels[450:]) > 0.85
    assert net.classes_.tolist() == ["between", "far", "near"]


def test_the_seed_gives_the_same_net_and_nothing_of_torch_is_changed() -> None:
    values, target = waves(200)
    n_threads, state = torch.get_num_threads(), torch.random.get_rng_state()

    one, same, other = (
        NetRegressor(**QUICK, seed=seed).fit(values, target).predict(values) for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert torch.get_num_threads() == n_threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_nets_of_every_shape_are_told_by_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    values, target = waves(200)
    held: list[Any] = []

    def note(*given: Any, **named: Any) -> Any:
        held.append(held_back(*given, **named))
        return held[-1]

    monkeypatch.setattr(learning, "held_back", note)
    for width, n_members in ((8, 1), (16, 2)):
        NetRegressor(**{**QUICK, "width": width, "n_members": n_members}).fit(values, target)

    assert held[0].sum() == 30
    np.testing.assert_array_equal(*held)


def test_numpy_says_what_torch_says(tmp_path: Path) -> None:
    values, labels = rings(300)
    net = NetClassifier(**QUICK, n_blocks=3).fit(values, labels)
    path = tmp_path / "net.skops"
    skops.io.dump(net, path)
    loaded = load_skops(path, extra_trusted=EXTRA_TRUSTED_TYPES)

    tensors = {name: torch.from_numpy(np.asarray(a)) for name, a in loaded.arrays_.items()}
    single = {n: t if n == "columns" else t.float() for n, t in tensors.items()}
    said = learning.forward(single, torch.from_numpy(values).float())
    expected = torch.softmax(said, dim=-1).mean(dim=0).numpy()
    np.testing.assert_allclose(loaded.predict_proba(values), expected, rtol=1e-4, atol=1e-5)


def test_a_net_that_numpy_reads_otherwise_is_refused() -> None:
    values, target = waves(100)
    net = NetRegressor(**QUICK).fit(values, target)
    tensors = {n: torch.from_numpy(np.asarray(a)) for n, a in net.arrays_.items()}
    wrong = {**net.arrays_, "last_gain": net.arrays_["last_gain"] * 1.001}

    learning._check(tensors, net.arrays_, values)
    with pytest.raises(ArithmeticError, match="in another way"):
        learning._check(tensors, wrong, values)


def test_a_loss_that_is_no_number_is_said() -> None:
    values, target = waves(100)
    with pytest.raises(ArithmeticError, match="no number"):
        NetRegressor(**{**QUICK, "learning_rate": 1e30}).fit(values, target)


def test_each_epoch_is_told() -> None:
    values, target = waves(200)
    heard: list[float] = []
    with hearing(heard.append):
        net = NetRegressor(**QUICK).fit(values, target)

    assert int(np.argmin(heard)) + 1 == net.n_epochs_
    assert len(heard) in (net.n_epochs_ + learning.PATIENCE, learning.MAX_EPOCHS)


def test_it_is_searched_and_repeated_like_others(tmp_path: Path) -> None:
    values, target = waves(150)
    frame = pl.DataFrame(values, schema=list("abcd")).with_columns(y=pl.Series(target))
    spec = TrainingSpec(
        source="t.csv", trainers=("torch_net",), n_trials=9, n_folds=2, timeout_s=600, refine=False
    )

    one, other = (
        train(spec, dataset_of(frame), study_dir=tmp_path / name, report=lambda *_: None).summary
        for name in "ab"
    )

    assert one.trainer == "torch_net"
    assert one.n_failed == 0
    assert (one.params, one.cv_fold_scores) == (other.params, other.cv_fold_scores)
    assert set(one.params) <= set(TRAINERS["torch_net"].first_params)
