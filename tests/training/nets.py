"""Nets for tests without PyTorch: arrays as they are drawn, in place of learnt ones."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ml_orchestrator.numerics.tabular_net import fresh_arrays
from ml_orchestrator.training import net_models

__all__ = ["draw_in_place_of_learning"]


@dataclass
class Drawn:
    """What learning gives back."""

    arrays: Any
    n_epochs: int = 0


def _draw(values: Any, target: Any, plan: Any, n_outputs: int, **_: Any) -> Drawn:
    rng = np.random.default_rng(plan.seed)
    arrays = fresh_arrays(values, plan.shape, max(1, n_outputs), rng)
    for name in [name for name in arrays if "shift" in name or "offset" in name]:
        arrays[name] = rng.normal(0, 0.1, arrays[name].shape).astype(np.float32)
    return Drawn({**arrays, "heads": 20 * arrays["heads"]})


def draw_in_place_of_learning(patch: pytest.MonkeyPatch) -> None:
    """Let nets be fitted without PyTorch; their answers mean nothing."""
    learning = SimpleNamespace(Plan=SimpleNamespace, learn=_draw)
    patch.setattr(net_models, "_learning", lambda: learning)
