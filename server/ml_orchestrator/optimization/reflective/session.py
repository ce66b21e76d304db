"""One reflective session: its records, and what follows from them alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.optimization.copying import estimated_tokens
from ml_orchestrator.optimization.reflective.checks import refuse_bad_checks
from ml_orchestrator.optimization.reflective.models import Check, Example, Report, Split
from ml_orchestrator.text.prompt_parts import split_prompt

__all__ = ["Candidate", "Result", "Session", "least_budget", "new_session"]

SHARES: Mapping[Split, float] = {"train": 0.4, "validation": 0.3, "test": 0.3}
LEAST: Mapping[Split, int] = {"train": 3, "validation": 3, "test": 6}  # 5 confirm nothing
LEAST_EXAMPLES = 17
LEAST_ROUNDS = 3
MAX_EXAMPLES = 500


class Result(BaseModel):
    """How one candidate did on one example."""

    model_config = ConfigDict(extra="forbid")

    score: float
    output: str | None = None
    failed: list[str] = []


class Candidate(BaseModel):
    """A wording with all its results."""

    model_config = ConfigDict(extra="forbid")

    id: str
    text: str
    parent: str | None = None
    state: Literal["pool", "waiting", "rejected", "refused"] = "waiting"
    reason: str = ""
    results: dict[str, Result] = {}

    def scores(self, ids: Iterable[str]) -> dict[str, float]:
        """Return its scores on those of ``ids`` it was run on."""
        return {each: self.results[each].score for each in ids if each in self.results}

    def mean(self, ids: Iterable[str]) -> float | None:
        """Return its mean score on those of ``ids`` it was run on."""
        scores = self.scores(ids).values()
        return sum(scores) / len(scores) if scores else None

    def lacks(self, ids: Iterable[str]) -> list[str]:
        """Return those of ``ids`` it was not run on."""
        return [each for each in ids if each not in self.results]


class Session(BaseModel):
    """Everything on record; written whole after each change."""

    model_config = ConfigDict(extra="forbid")

    id: str
    created_by: str
    created_at: str
    seed: int
    examples: list[Example]
    checks: list[Check] = []
    budget: int
    minibatch: int
    max_tokens: int
    keep: list[str] = []
    candidates: list[Candidate]
    round: int = 0
    is_closing: bool = False
    report: Report | None = None
    registered: str | None = None

    def ids(self, split: Split) -> list[str]:
        """Return the examples of one part, in order."""
        return [example.id for example in self.examples if example.split == split]

    def example(self, id_: str) -> Example:
        """Return one example.

        Raises:
            InvalidInputError: there is none of this name.
        """
        for example in self.examples:
            if example.id == id_:
                return example
        raise InvalidInputError(
            f"No example {id_!r}; known: {', '.join(e.id for e in self.examples[:10])}…"
        )

    def candidate(self, id_: str) -> Candidate:
        """Return one candidate.

        Raises:
            InvalidInputError: there is none of this name.
        """
        for candidate in self.candidates:
            if candidate.id == id_:
                return candidate
        raise InvalidInputError(
            f"No candidate {id_!r}; known: {', '.join(c.id for c in self.candidates)}."
        )

    def by_input(self, split: Split) -> list[list[str]]:
        """Return the examples of one part, those of the same input together."""
        groups: dict[str, list[str]] = {}
        for example in self.examples:
            if example.split == split:
                groups.setdefault(_same_input(example.input), []).append(example.id)
        return list(groups.values())

    def checks_of(self, example: Example) -> list[Check]:
        """Return by what an output for ``example`` is judged; none: by the caller's scores."""
        return self.checks if example.checks is None else example.checks

    @property
    def pool(self) -> list[Candidate]:
        """Accepted candidates in the order of acceptance; the first is the prompt as given."""
        return [c for c in self.candidates if c.state == "pool"]

    @property
    def n_scored(self) -> int:
        """Scored outputs that count towards the budget: all but those on test examples."""
        test = set(self.ids("test"))
        return sum(len(c.results.keys() - test) for c in self.candidates)


def least_budget(n_validation: int, minibatch: int) -> int:
    """Return what it takes to accept anything: two full validations and three rounds."""
    return 2 * n_validation + LEAST_ROUNDS * 2 * minibatch


def new_session(
    *,
    id_: str,
    agent: str,
    at: str,
    prompt: str,
    examples: Sequence[Example],
    checks: Sequence[Check],
    budget: int,
    minibatch: int,
    max_added_tokens: int,
    seed: int,
) -> Session:
    """Return a session with its examples split; nothing was run yet.

    Raises:
        InvalidInputError: the prompt is blank, names are given twice, there are too few examples
            or different inputs, an input stands in two parts, a check cannot be used, or the budget
            is too small; the message says what is needed.
    """
    if not prompt.strip():
        raise InvalidInputError("The prompt is blank. Give the text that is to be bettered.")
    parted = _parted(examples, seed)
    session = Session(
        id=id_,
        created_by=agent,
        created_at=at,
        seed=seed,
        examples=parted,
        checks=list(checks),
        budget=budget,
        minibatch=min(minibatch, sum(e.split == "train" for e in parted)),
        max_tokens=estimated_tokens(prompt) + max_added_tokens,
        keep=sorted(set(split_prompt(prompt).texts("placeholder"))),
        candidates=[Candidate(id="c0", text=prompt, state="pool", reason="The prompt as given.")],
    )
    for example in parted:
        refuse_bad_checks(session.checks_of(example), example.expected)
    needed = least_budget(len(session.ids("validation")), session.minibatch)
    if budget < needed:
        raise InvalidInputError(
            f"A budget of {budget} scored outputs is too small to accept anything: at least "
            f"{needed} are needed (two passes over {len(session.ids('validation'))} validation "
            f"examples and {LEAST_ROUNDS} rounds of two minibatches of {session.minibatch})."
        )
    return session


def _parted(examples: Sequence[Example], seed: int) -> list[Example]:
    ids = [example.id for example in examples]
    if len(set(ids)) < len(ids) or len(ids) > MAX_EXAMPLES:
        twice = sorted({each for each in ids if ids.count(each) > 1})[:5]
        raise InvalidInputError(
            f"At most {MAX_EXAMPLES} examples with different ids are taken; there are {len(ids)}"
            + (f", and twice: {', '.join(twice)}." if twice else ".")
        )
    inputs = [_same_input(example.input) for example in examples]
    part_of = _part_of_inputs(examples, inputs, seed)
    parted = [
        e.model_copy(update={"split": part_of[same]})
        for e, same in zip(examples, inputs, strict=True)
    ]
    counts = {split: sum(part == split for part in part_of.values()) for split in SHARES}
    if len(part_of) < LEAST_EXAMPLES or any(counts[split] < LEAST[split] for split in SHARES):
        needed = ", ".join(f"{n} {split}" for split, n in LEAST.items())
        found = ", ".join(f"{n} {split}" for split, n in counts.items())
        raise InvalidInputError(
            f"Too few examples: {len(examples)} with {len(part_of)} different inputs ({found}); at "
            f"least {needed} are needed, and {LEAST_EXAMPLES} in all. Give more inputs, and leave "
            "'split' out to have them drawn."
        )
    return parted


def _same_input(text: str) -> str:
    """Return what two inputs share that are the same but for whitespace and case."""
    return " ".join(text.split()).casefold()


def _part_of_inputs(
    examples: Sequence[Example], inputs: Sequence[str], seed: int
) -> dict[str, Split]:
    """Return the part of each different input: as given, else drawn; never two.

    Raises:
        InvalidInputError: one input is given in two parts.
    """
    given: dict[str, Split] = {}
    for example, same in zip(examples, inputs, strict=True):
        if example.split and given.setdefault(same, example.split) != example.split:
            raise InvalidInputError(
                f"The input of example {example.id!r} is in {given[same]} and in {example.split}: "
                "the same input on both sides would confirm itself. Give it one split, or none."
            )
    open_inputs = [same for same in dict.fromkeys(inputs) if same not in given]
    return given | dict(zip(open_inputs, _drawn(len(open_inputs), seed), strict=True))


def _drawn(n: int, seed: int) -> list[Split]:
    """Return a part for each of ``n`` inputs, in the shares; what is left over is for the test."""
    order = np.random.default_rng(seed).permutation(n)
    ends = np.floor(np.cumsum(list(SHARES.values())) * n + 1e-9)
    names: list[Any] = list(SHARES)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    return [names[int(np.searchsorted(ends, p, side="right"))] for p in place]
