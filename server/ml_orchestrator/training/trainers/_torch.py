"""Learning the arrays of a small net (``numerics.tabular_net``), by PyTorch.

The only module that knows it.
What comes back are numpy arrays. The seed fixes the first arrays, the rows held back, the order
of the rows and what is dropped, so a fit on a processor can be repeated on the same machine; on
a GPU sums may come in any order.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from ml_orchestrator.numerics.tabular_net import (
    FIXED,
    Arrays,
    Shape,
    answers,
    checked,
    forward,
    fresh_arrays,
    held_back,
)
from ml_orchestrator.training.epochs import tell_epoch

__all__ = ["Learnt", "Plan", "learn"]

MAX_EPOCHS = 200
PATIENCE = 16  # epochs without a better loss on the rows held back
STEPS_AN_EPOCH = 16  # wanted, within the sizes of a batch
BATCH_ROWS = (32, 512)
MAX_NORM = 1.0  # of a step's gradient
HELD_ROWS = 4_096  # looked at together
N_COMPARED = 500  # rows on which both must say the same


@dataclass(frozen=True, slots=True)
class Plan:
    """How a net is learnt; see ``training.net_models`` for the names."""

    shape: Shape
    dropout: float
    learning_rate: float
    weight_decay: float
    quantile: float | None
    is_ordered: bool
    seed: int
    n_jobs: int | None


@dataclass(frozen=True, slots=True)
class Learnt:
    """The arrays with the best loss on the rows held back, and how many epochs that took."""

    arrays: Arrays
    n_epochs: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows on the device: values, targets, how much each counts, and that with the balance."""

    values: Any
    target: Any
    weight: Any
    balanced: Any

    def take(self, rows: Any) -> "_Rows":
        """Return some of them."""
        return _Rows(self.values[rows], self.target[rows], self.weight[rows], self.balanced[rows])


def learn(
    values: NDArray[np.float64],
    target: NDArray[Any],
    plan: Plan,
    n_outputs: int,
    *,
    weight: NDArray[np.float64],
    balance: NDArray[np.float64],
) -> Learnt:
    """Return the arrays of a net by AdamW (I. Loshchilov, F. Hutter, 2019) with early stopping.

    Each epoch's loss on the rows held back is told to ``training.epochs``. It counts rows by
    ``weight`` alone, so that it compares with those of other ``balance``.

    Args:
        values: finite and scaled, ``(n_rows, n_columns)``.
        target: class codes from 0 for ``n_outputs`` classes, or scaled numbers where that is 0.
        plan: how.
        n_outputs: classes; 0 is a number.
        weight: how much each row counts.
        balance: by how much it counts more for its class.

    Raises:
        ArithmeticError: the loss is no number, or numpy reads the arrays in another way.
    """
    rng = np.random.default_rng(plan.seed)
    arrays = fresh_arrays(values, plan.shape, max(1, n_outputs), rng)
    strata = target if n_outputs else np.zeros(len(target), dtype=np.int64)
    is_held = held_back(strata, plan.seed, is_ordered=plan.is_ordered)
    loss = _loss_of(n_outputs, plan.quantile)
    with _threads(plan.n_jobs):
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        tensors = _on(device, arrays)
        rows = _Rows(
            torch.from_numpy(values.astype(np.float32)).to(device),
            torch.from_numpy(target if n_outputs else target.astype(np.float32)).to(device),
            torch.from_numpy(weight.astype(np.float32)).to(device),
            torch.from_numpy((weight * balance).astype(np.float32)).to(device),
        )
        fitted = rows.take(torch.from_numpy(np.flatnonzero(~is_held)).to(device))
        held = rows.take(torch.from_numpy(np.flatnonzero(is_held)).to(device))
        n_epochs = _descend(tensors, fitted, held, loss, plan, rng)
        _check(tensors, _arrays(tensors, arrays), values[:N_COMPARED])
        return Learnt(_arrays(tensors, arrays), n_epochs)


def _descend(
    tensors: dict[str, Any],
    fitted: _Rows,
    held: _Rows,
    loss: Callable[[Any, Any], Any],
    plan: Plan,
    rng: np.random.Generator,
) -> int:
    """Learn in place; leave the tensors as they were best, and return how many epochs that took."""
    learnt = {name: each for name, each in tensors.items() if name not in FIXED}
    optimiser = _adam(learnt, plan)
    device = fitted.values.device
    drop = _dropping(plan.dropout, torch.Generator(device).manual_seed(plan.seed))
    judged = held if len(held.values) else fitted
    best, best_epoch, kept = float("inf"), 0, {}
    for epoch in range(1, MAX_EPOCHS + 1):
        for rows in _batches(len(fitted.values), rng):
            batch = fitted.take(torch.from_numpy(rows).to(device))
            optimiser.zero_grad()
            losses = loss(forward(tensors, batch.values, drop), batch.target).mean(axis=0)
            ((losses * batch.balanced).sum() / batch.balanced.sum()).backward()
            torch.nn.utils.clip_grad_norm_(list(learnt.values()), MAX_NORM)
            optimiser.step()
        found, told = _judged(tensors, judged, loss)
        if found < best:
            best, best_epoch = found, epoch
            kept = {name: each.detach().clone() for name, each in learnt.items()}
        tell_epoch(told)
        if epoch - best_epoch >= PATIENCE:
            break
    if not kept:
        raise ArithmeticError("The loss of the net is no number; a lower learning rate may help.")
    with torch.no_grad():
        for name, each in kept.items():
            learnt[name].copy_(each)
    return best_epoch


def _adam(learnt: dict[str, Any], plan: Plan) -> Any:
    """Return the optimiser; only what mixes columns is drawn to 0."""
    shrunk = {name for name in learnt if name.startswith(("first", "up_", "down_", "heads"))}
    shrunk = {name for name in shrunk if "shift" not in name}
    groups = [
        {"params": [learnt[name] for name in sorted(shrunk)], "weight_decay": plan.weight_decay},
        {"params": [learnt[name] for name in learnt if name not in shrunk], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate)


def _batches(n_rows: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Give the rows in batches, in another order each time; a last one of few rows is left out."""
    low, high = BATCH_ROWS
    size = min(n_rows, int(np.clip(2 ** int(np.log2(max(1, n_rows / STEPS_AN_EPOCH))), low, high)))
    order = rng.permutation(n_rows)
    for start in range(0, n_rows - size // 2, size):
        yield order[start : start + size]


def _judged(tensors: dict[str, Any], rows: _Rows, loss: Callable[[Any, Any], Any]) -> Any:
    """Return the loss as it is learnt, and with rows counted by their own weight alone."""
    sums = np.zeros(4)
    with torch.no_grad():
        for start in range(0, len(rows.values), HELD_ROWS):
            part = rows.take(slice(start, start + HELD_ROWS))
            losses = loss(forward(tensors, part.values), part.target).mean(axis=0)
            for place, weight in enumerate((part.balanced, part.weight)):
                sums[2 * place] += float((losses * weight).sum())
                sums[2 * place + 1] += float(weight.sum())
    return float(sums[0] / sums[1]), float(sums[2] / sums[3])


def _loss_of(n_outputs: int, quantile: float | None) -> Callable[[Any, Any], Any]:
    """Return what gives the loss of each member for each row, ``(n_members, n_rows)``."""

    def of_classes(said: Any, target: Any) -> Any:
        codes = target.expand(said.shape[:2]).reshape(-1)
        flat = cross_entropy(said.reshape(-1, n_outputs), codes, reduction="none")
        return flat.reshape(said.shape[:2])

    def of_mean(said: Any, target: Any) -> Any:
        return (said[:, :, 0] - target) ** 2

    def of_quantile(said: Any, target: Any) -> Any:
        left = target - said[:, :, 0]
        return torch.maximum(quantile * left, (quantile - 1.0) * left)  # type: ignore[operator]

    if n_outputs:
        return of_classes
    return of_mean if quantile is None else of_quantile


def _dropping(share: float, generator: Any) -> Callable[[Any], Any] | None:
    """Return what sets a share of numbers to 0 and raises the others (N. Srivastava, 2014)."""
    if share <= 0:
        return None

    def drop(state: Any) -> Any:
        drawn = torch.rand(state.shape, generator=generator, device=state.device)
        return state * (drawn >= share) / (1.0 - share)

    return drop


def _on(device: Any, arrays: Arrays) -> dict[str, Any]:
    tensors = {}
    for name, array in arrays.items():
        given = array if name == "columns" else array.astype(np.float32)
        tensors[name] = torch.tensor(given, device=device, requires_grad=name not in FIXED)
    return tensors


def _arrays(tensors: dict[str, Any], fresh: Arrays) -> dict[str, NDArray[Any]]:
    """Return the learnt tensors beside the fixed arrays."""
    return {
        name: array if name in FIXED else _numbers(tensors[name]) for name, array in fresh.items()
    }


def _numbers(tensor: Any) -> NDArray[Any]:
    numbers: NDArray[Any] = tensor.detach().cpu().numpy().copy()
    return numbers


def _check(tensors: dict[str, Any], arrays: Arrays, some: NDArray[np.float64]) -> None:
    """Ask both in double precision.

    Raises:
        ArithmeticError: they do not say the same.
    """
    exact = {
        name: torch.from_numpy(arrays[name] if name in FIXED else _numbers(each).astype(np.float64))
        for name, each in tensors.items()
    }
    theirs = forward(exact, torch.from_numpy(np.ascontiguousarray(some))).numpy()
    ours = np.concatenate(list(answers(checked(arrays), some)), axis=1)
    if not np.allclose(ours, theirs, rtol=1e-9, atol=1e-9):
        raise ArithmeticError("numpy reads PyTorch's net in another way")


@contextmanager
def _threads(n_jobs: int | None) -> Iterator[None]:
    """Let PyTorch use one core or all for a while."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1 if n_jobs is None else os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
