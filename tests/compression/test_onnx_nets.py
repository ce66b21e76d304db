"""Nets as ONNX: the same answers on raw and awkward rows, whatever their arrays."""

from typing import Any

import numpy as np
import pytest
from tests.compression.worlds import World, mixed_world
from tests.training.nets import draw_in_place_of_learning

from ml_orchestrator.compression.equality import compared
from ml_orchestrator.compression.exporting.export import export_onnx
from ml_orchestrator.compression.quantising import quantised
from ml_orchestrator.modelfiles.onnx_file import open_onnx
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.trainers.torch_net import TorchNet


def drawn_net(here: World, patch: pytest.MonkeyPatch, **params: Any) -> Any:
    draw_in_place_of_learning(patch)
    entry = TorchNet()
    chosen = {**entry.first_params, "width": 8, **params}
    estimator = entry.build(here.table.problem, chosen, seed=0, n_jobs=None)
    pipeline = build_pipeline(here.table.kinds, entry.needs, estimator)
    return fit(pipeline, here.table, here.split.train)


@pytest.mark.parametrize(("kind", "n_blocks"), [("two", 1), ("three", 2), ("number", 3)])
def test_a_net_answers_the_same_on_raw_and_awkward_rows(
    kind: str, n_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = mixed_world(kind)
    model = drawn_net(here, monkeypatch, n_blocks=n_blocks)

    found = compared(model, open_onnx(export_onnx(model)), here.unseen)

    assert found.n_awkward > 100
    assert found.largest_difference < 1e-9
    assert found.n_other_classes == 0
    assert len(np.unique(model.predict(here.unseen))) > 1


def test_a_net_can_be_quantised(monkeypatch: pytest.MonkeyPatch) -> None:
    here = mixed_world("two")
    model = drawn_net(here, monkeypatch, width=64)
    exported = export_onnx(model, single=True)

    small = quantised(exported)

    assert len(small) < len(exported)
    apart = np.abs(
        open_onnx(small).predict_proba(here.unseen) - model.predict_proba(here.unseen)  # type: ignore[union-attr]
    )
    assert float(apart.mean()) < 0.05
