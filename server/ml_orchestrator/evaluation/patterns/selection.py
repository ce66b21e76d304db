"""Which patterns explain the outcome together: a stepwise search with swaps on the first part.

A model is a small set of patterns. A pattern must lower the residual by more than chance would
among all patterns: as many false ones as a budget allows are expected. Half of the budget is
shared evenly among kinds and sizes, half goes where an effect worth knowing would be found. The
budget grows with what has been found, as in procedures for the false discovery rate, so that
nothing is found where there is nothing and little is missed where there is much. Only one pass
over the cases is made for each pattern that enters; everything else is algebra on sums.
"""

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ml_orchestrator.evaluation.patterns.candidates import Candidates
from ml_orchestrator.evaluation.patterns.power import NOTEWORTHY_SD

__all__ = ["FALSE_BUDGET", "Selected", "prices", "select", "threshold", "thresholds_by_power"]

FALSE_BUDGET = 0.3  # false patterns expected, over all families, where nothing was found yet
MOST_TAIL = 0.05  # of one candidate, on either side
MOST_SELECTED = 40
MOST_MOVES = 200
MOST_ROUNDS = 8
LEAST_OWN_SHARE = 0.05  # of a pattern's variance that others do not explain
ALIKE = 3.84  # of twice the log-likelihood: the 95 % point of chi-square with one degree
MOST_STAND_INS = 5
MOST_CUTS = 2  # of one number, beside its middle; more say less to a reader


@dataclass(frozen=True, slots=True)
class Selected:
    """Candidates that were selected, and for each those the first part cannot tell from it."""

    chosen: tuple[int, ...]
    stand_ins: tuple[tuple[int, ...], ...]


def select(
    candidates: Candidates, outcome: NDArray[np.float64], *, n_independent: float
) -> Selected:
    """Return the patterns of the best model that the search reaches.

    Args:
        candidates: of the first part.
        outcome: shape ``(n_first,)``, finite.
        n_independent: how many independent cases these are worth; all of them without groups.
    """
    search = _Search(candidates, outcome, n_independent)
    model: list[int] = []
    for _ in range(MOST_ROUNDS):
        before = len(model)
        model = search.improved(model, budget=FALSE_BUDGET * max(1, before))
        if len(model) <= before:
            break
    return Selected(tuple(model), tuple(search.stand_ins(model, m) for m in range(len(model))))


def threshold(n_in_family: int, n_families: int, budget: float = FALSE_BUDGET) -> float:
    """Return the z value that ``budget / n_families`` of a family exceed by chance."""
    tail = min(MOST_TAIL, budget / n_families / n_in_family / 2)
    return -NormalDist().inv_cdf(tail)


def thresholds_by_power(
    expected: NDArray[np.float64], prior: NDArray[np.float64], *, budget: float
) -> NDArray[np.float64]:
    """Return the z values that find most, where ``budget`` candidates exceed theirs by chance.

    Where every candidate were to be found with the same density ``z * expected - expected ** 2 / 2
    + log(prior)``, no budget can be moved from one to another to find more.

    Args:
        expected: the z value of an effect worth knowing, shape ``(n_candidates,)``, above 0.
        prior: how likely each is a pattern, but for a factor, above 0.
        budget: expected number of false ones, both signs, above 0.

    References:
        K. Roeder, L. Wasserman, "Genome-wide significance levels and weighted hypothesis testing",
        Statistical Science 24 (2009).

    >>> z = thresholds_by_power(np.array([2.0, 6.0, 2.0]), np.array([1.0, 1.0, 9.0]), budget=0.1)
    >>> bool(z[2] < z[0]), round(float(2 * ndtr(-z).sum()), 6)
    (True, 0.1)
    """

    def z_values(level: float) -> NDArray[np.float64]:
        return np.asarray(expected / 2 + (level - np.log(prior)) / expected)

    low, high = -1e3, 1e3
    for _ in range(60):
        level = (low + high) / 2
        if 2 * ndtr(-z_values(level)).sum() > budget:
            low = level
        else:
            high = level
    return z_values(high)


def prices(candidates: Candidates, *, n_independent: float, budget: float) -> NDArray[np.float64]:
    """Return what each candidate must gain, in twice the log-likelihood, to enter a model.

    By chance ``budget`` candidates gain as much. Half of it is shared evenly among families and
    their members, half by the power to find an effect worth knowing.
    """
    families, places, sizes = np.unique(
        candidates.families, return_inverse=True, return_counts=True
    )
    of_family = [threshold(int(size), len(families), budget / 2) for size in sizes]
    share = candidates.counts / len(candidates.rows)
    by_power = thresholds_by_power(
        NOTEWORTHY_SD * np.sqrt(share * (1 - share) * n_independent),
        1 / (len(families) * sizes[places]),
        budget=budget / 2,
    )
    tails = ndtr(-np.array(of_family)[places]) + ndtr(-by_power)
    return np.asarray(ndtri(np.minimum(tails, MOST_TAIL)) ** 2)


@dataclass(frozen=True, slots=True)
class _State:
    """What adding each candidate to a model, or exchanging a member for it, would do.

    ``left`` is the residual sum of squares; ``moments`` and ``spreads`` are each candidate's
    product with the residual and its own sum of squares, both without what the members explain;
    ``weights`` is the regression of candidates on members, shape ``(n_members, n_candidates)``.
    """

    left: float
    moments: NDArray[np.float64]
    spreads: NDArray[np.float64]
    weights: NDArray[np.float64]
    effects: NDArray[np.float64]
    inverse: NDArray[np.float64]


@dataclass(slots=True)
class _Search:
    candidates: Candidates
    outcome: NDArray[np.float64]
    worth: float
    counts: NDArray[np.float64] = field(init=False)
    spreads: NDArray[np.float64] = field(init=False)
    moments: NDArray[np.float64] = field(init=False)
    total: float = field(init=False)
    products: dict[int, NDArray[np.float64]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        centred = self.outcome - self.outcome.mean()
        self.counts = self.candidates.counts
        self.spreads = self.counts - self.counts**2 / len(self.outcome)
        self.moments = self.candidates.sums(centred)
        self.total = float(centred @ centred)

    def improved(self, model: list[int], *, budget: float) -> list[int]:
        """Return the model after the best moves (add, drop, exchange) until none helps."""
        price = prices(self.candidates, n_independent=self.worth, budget=budget)
        for _ in range(MOST_MOVES):
            state = self._state(model)
            if state.left <= 1e-9 * self.total:
                break
            moves = [self._best_addition(model, state, price)]
            if model:
                moves += [
                    self._best_drop(model, state, price),
                    self._best_swap(model, state, price),
                ]
            gain, better = max(moves, key=lambda move: move[0])
            if gain <= 1e-6:
                break
            model = better
        return model

    def stand_ins(self, model: list[int], place: int) -> tuple[int, ...]:
        """Return the candidates that fit almost as well in the place of one member."""
        state = self._state(model)
        if state.left <= 1e-9 * self.total:
            return ()
        loss = self.worth * np.log(self._left_after_swap(state, place) / state.left)
        loss[model] = np.inf
        order = np.argsort(loss, kind="stable")[:MOST_STAND_INS]
        return tuple(int(i) for i in order if loss[i] < ALIKE)

    def _products(self, index: int) -> NDArray[np.float64]:
        if index not in self.products:
            sums = self.candidates.sums(self.candidates.holds_here(index))
            self.products[index] = sums - self.counts * self.counts[index] / len(self.outcome)
        return self.products[index]

    def _state(self, model: list[int]) -> _State:
        if not model:
            none = np.zeros((0, len(self.counts)))
            return _State(
                self.total, self.moments, self.spreads, none, np.zeros(0), np.zeros((0, 0))
            )
        products = np.array([self._products(member) for member in model])
        inverse = np.linalg.inv(products[:, model])
        effects, weights = inverse @ self.moments[model], inverse @ products
        return _State(
            left=self.total - float(self.moments[model] @ effects),
            moments=self.moments - products.T @ effects,
            spreads=self.spreads - (products * weights).sum(axis=0),
            weights=weights,
            effects=effects,
            inverse=inverse,
        )

    def _full(self, model: list[int]) -> NDArray[np.int64]:
        """Return the cuts of numbers that have as many in the model as may be."""
        numbers = self.candidates.numbers
        places, counts = np.unique(numbers[model], return_counts=True)
        full = places[(counts >= MOST_CUTS) & (places >= 0)]
        return np.flatnonzero(np.isin(numbers, full)) if full.size else full

    def _drop_in(
        self, moments: NDArray[np.float64], spreads: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        is_own = spreads > LEAST_OWN_SHARE * self.spreads
        return np.where(is_own, moments**2 / np.maximum(spreads, 1e-12), 0.0)

    def _best_addition(
        self, model: list[int], state: _State, price: NDArray[np.float64]
    ) -> tuple[float, list[int]]:
        drop = np.minimum(self._drop_in(state.moments, state.spreads), 0.999999 * state.left)
        gains = -self.worth * np.log1p(-drop / state.left) - price
        gains[[*model, *self._full(model)]] = -np.inf
        best = int(gains.argmax())
        is_room = len(model) < min(MOST_SELECTED, self.worth // 20)
        return (float(gains[best]) if is_room else -np.inf), [*model, best]

    def _best_drop(
        self, model: list[int], state: _State, price: NDArray[np.float64]
    ) -> tuple[float, list[int]]:
        rise = state.effects**2 / np.diag(state.inverse)
        gains = price[model] - self.worth * np.log1p(rise / state.left)
        worst = int(gains.argmax())
        return float(gains[worst]), [m for i, m in enumerate(model) if i != worst]

    def _best_swap(
        self, model: list[int], state: _State, price: NDArray[np.float64]
    ) -> tuple[float, list[int]]:
        best: tuple[float, list[int]] = (-np.inf, model)
        for place, member in enumerate(model):
            left = self._left_after_swap(state, place)
            gains = price[member] - price - self.worth * np.log(left / state.left)
            gains[[*model, *self._full([m for m in model if m != member])]] = -np.inf
            other = int(gains.argmax())
            if gains[other] > best[0]:
                best = float(gains[other]), [*model[:place], other, *model[place + 1 :]]
        return best

    def _left_after_swap(self, state: _State, place: int) -> NDArray[np.float64]:
        """Return the residual sum of squares with each candidate in the place of a member."""
        own = state.inverse[place, place]
        weight, effect = state.weights[place], state.effects[place]
        without = state.left + effect**2 / own
        drop = self._drop_in(state.moments + weight * effect / own, state.spreads + weight**2 / own)
        return np.asarray(np.maximum(without - drop, 1e-9 * self.total))
