"""Which candidate to better next, on which examples, and what is accepted: by GEPA's own pieces.

The only module that knows ``gepa``. Its loop calls the proposer and waits; ours answers one call
of a tool and ends. So the loop is ours, and of gepa 0.1.4 come the pool with its front per
example, the choice of a parent from that front, the order of minibatches and the acceptance.
Nothing of gepa's is stored: the pool is built anew from our records, with randomness drawn from
the seed and the number of the round.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gepa.core.state import GEPAState, ValsetEvaluation
from gepa.gepa_utils import find_dominator_programs
from gepa.proposer.base import CandidateProposal
from gepa.strategies.acceptance import StrictImprovementAcceptance
from gepa.strategies.batch_sampler import EpochShuffledBatchSampler
from gepa.strategies.candidate_selector import ParetoCandidateSelector
from gepa.strategies.eval_policy import FullEvaluationPolicy

__all__ = ["Pool", "PoolMember", "minibatch_of_round"]

COMPONENT = "prompt"


@dataclass(frozen=True, slots=True)
class PoolMember:
    """A candidate with its score on every validation example, and the place of its parent."""

    text: str
    parent: int | None
    scores: Mapping[str, float]


class Pool:
    """Accepted candidates in the order of acceptance; the first is the prompt as given."""

    def __init__(self, members: Sequence[PoolMember]) -> None:
        first, *others = members
        self._state: GEPAState[Any, str] = GEPAState(_candidate(first), _evaluation(first))
        self._state.num_full_ds_evals = 1
        self._state.total_num_evals = len(first.scores)
        for member in others:
            self._state.update_state_with_new_program(
                [member.parent or 0], _candidate(member), _evaluation(member), None, 0
            )

    @property
    def best(self) -> int:
        """Place of the member with the best mean on validation; of equals the first."""
        return int(FullEvaluationPolicy[str, str]().get_best_program(self._state))

    @property
    def front(self) -> tuple[int, ...]:
        """Places of the members that no others cover: each is best on some example."""
        scores = self._state.per_program_tracked_scores
        fronts = self._state.get_pareto_front_mapping()
        found = find_dominator_programs(fronts, scores)  # type: ignore[no-untyped-call]
        return tuple(sorted(found))

    def parent(self, *, seed: int, round_: int) -> int:
        """Return whom to better: drawn from the front, the more often the more it leads."""
        entropy = np.random.SeedSequence([seed, round_]).generate_state(1)
        selector = ParetoCandidateSelector(random.Random(int(entropy[0])))  # noqa: S311
        return int(selector.select_candidate_idx(self._state))

    def accepts(self, before: Sequence[float], after: Sequence[float]) -> bool:
        """Say whether a candidate beats its parent on the same minibatch: a larger sum."""
        proposal: CandidateProposal[str] = CandidateProposal(
            candidate={},
            parent_program_ids=[],
            subsample_scores_before=list(before),
            subsample_scores_after=list(after),
        )
        return StrictImprovementAcceptance().should_accept(proposal, self._state)


def minibatch_of_round(
    train_ids: Sequence[str], *, size: int, seed: int, round_: int
) -> tuple[str, ...]:
    """Return the training examples of one round: every epoch in a new order, none twice at once."""
    size = min(size, len(train_ids))
    sampler: EpochShuffledBatchSampler[str, str] = EpochShuffledBatchSampler(
        size,
        random.Random(seed),  # noqa: S311
    )
    loader, clock = _Ids(train_ids), _Clock()
    batch: list[str] = []
    for clock.i in range(round_ + 1):
        batch = sampler.next_minibatch_ids(loader, clock)  # type: ignore[arg-type]  # reads .i alone
    return tuple(dict.fromkeys(batch))


class _Ids:
    """The training examples, by id alone, as gepa asks for them."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = list(ids)

    def all_ids(self) -> Sequence[str]:
        return self._ids

    def fetch(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    def __len__(self) -> int:
        return len(self._ids)


class _Clock:
    i = 0


def _candidate(member: PoolMember) -> dict[str, str]:
    return {COMPONENT: member.text}


def _evaluation(member: PoolMember) -> "ValsetEvaluation[Any, str]":
    return ValsetEvaluation(outputs_by_val_id={}, scores_by_val_id=dict(member.scores))
