"""Write the models of parts of ``server/ml_orchestrator/optimization`` from sentences.

The sentences are those of ``bin/part_model/*.txt``, one a line, the file named after the part (more
parts after ``@``), and the pieces of the prompts in ``benchmarks/rule_prompts`` that are there to
learn from. All were written for this project. Run it from ``.venv``; the same inputs give the same
file.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from ml_orchestrator.optimization.language import is_english
from ml_orchestrator.optimization.part_model import (
    MODEL_FILE,
    PARTS,
    STRICT_MODEL_FILE,
    PartModel,
)
from ml_orchestrator.optimization.reading_patterns import COMPONENTS
from ml_orchestrator.optimization.sentence_terms import sentence_terms
from ml_orchestrator.text.prompt_parts import split_prompt

__all__ = ["Sentence", "fit", "make_model", "make_strict_model", "read_sentences"]

SOURCES = Path(__file__).with_name("part_model")
PROMPTS = Path(__file__).parents[1] / "benchmarks" / "rule_prompts"
PROMPT_FILES = ("tuning", "development")
LONG_PROMPT_FILES = (
    *PROMPT_FILES,
    "development_2",
    "development_3",
    "held_out_3",
    "held_out_4",
    "held_out_5",
    "held_out_6",
)
SPECIFICS = ("audience", "length", "count", "span", "context", "technology", "symptom")
LEAST_SENTENCES = 2  # a term of one sentence says nothing about others
PENALTY, STRICT_PENALTY = 20.0, 5.0  # by the log loss on folds of prompts that a model did not see
DAMPING = 4.0
WEIGHT_UNIT = 0.1
LEAST_WEIGHT = 3  # in units; what is nearer to zero is not stored
THRESHOLDS = {part: 0.05 for part in PARTS if part != "task"}  # chosen on folds, see decision 36


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in small letters, the parts that it is, and the prompt that it comes from."""

    text: str
    parts: frozenset[str]
    prompt: str = ""


def main() -> None:
    """Fit and write both files."""
    _write(MODEL_FILE, make_model(read_sentences()))
    _write(STRICT_MODEL_FILE, make_strict_model(read_sentences(LONG_PROMPT_FILES)))


def _write(path: Path, model: PartModel) -> None:
    path.write_text(_as_json(model), encoding="utf-8")
    size = path.stat().st_size
    sys.stdout.write(f"{path.name}: {len(model.terms)} terms, {size:,} bytes\n")


def read_sentences(names: Sequence[str] = PROMPT_FILES) -> list[Sentence]:
    """Return every sentence to learn from, with those of these files of prompts."""
    return [*_own_sentences(), *(each for name in names for each in _of_prompts(name))]


def _own_sentences() -> Iterator[Sentence]:
    for path in sorted(SOURCES.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            said, *more = line.split(" @")
            parts = frozenset({path.stem, *more} & set(PARTS))
            yield from (Sentence(text, parts) for text in _split(said))


def _of_prompts(name: str) -> Iterator[Sentence]:
    """Yield the sentences of a file's good English prompts."""
    blocks = re.split(r"^=== ", (PROMPTS / f"{name}.txt").read_text(encoding="utf-8"), flags=re.M)
    for block in blocks[1:]:
        title, rest = block.split("\n", 1)
        if "[flawed" in title or not is_english(split_prompt(rest).instructions):
            continue
        pieces = re.split(r"^@(\w+)\n", rest, flags=re.MULTILINE)[1:]
        for label, text in zip(pieces[::2], pieces[1::2], strict=True):
            for said in _split(text.strip()):
                yield Sentence(said, _parts(label, said), f"{name}/{title}")


def _parts(label: str, said: str) -> frozenset[str]:
    """Return the parts of a sentence in a piece; for specifics the patterns tell which."""
    if label != "specifics":
        return frozenset({label} & set(PARTS))
    return frozenset(part for part in SPECIFICS if COMPONENTS[part][1].search(said))


def _split(text: str) -> list[str]:
    parts = split_prompt(text)
    prose = parts.instructions.lower()
    return [prose[part.start : part.end] for part in parts.of("sentence")]


def make_model(sentences: Sequence[Sentence]) -> PartModel:
    """Return the model of these sentences with the thresholds of the rules."""
    return fit(sentences, THRESHOLDS)


def make_strict_model(sentences: Sequence[Sentence]) -> PartModel:
    """Return the model for long prompts: what is said of a part elsewhere speaks against it."""
    return fit(sentences, {}, penalty=STRICT_PENALTY, leaves_out=False)


def fit(
    sentences: Sequence[Sentence],
    thresholds: dict[str, float],
    *,
    penalty: float = PENALTY,
    leaves_out: bool = True,
) -> PartModel:
    """Return one logistic regression a part, its numbers rounded as they are stored.

    A sentence that is not filed under a part and fits its pattern may still be it (what is asked
    for as output often has a length): for that part it is left out, if ``leaves_out``.
    """
    terms = [sentence_terms(each.text) for each in sentences]
    counts = Counter(term for each in terms for term in each)
    names = sorted(term for term, n in counts.items() if n >= LEAST_SENTENCES)
    rows = _rows(terms, names)
    weights = np.zeros((len(PARTS), len(names)))
    bias = []
    for number, part in enumerate(PARTS):
        is_part = np.array([part in each.parts for each in sentences])
        used = is_part | ~(_fits_pattern(part, sentences) & leaves_out)
        learner = LogisticRegression(C=penalty, max_iter=500).fit(rows[used], is_part[used])
        weights[number] = learner.coef_[0]
        bias.append(round(float(learner.intercept_[0]), 4))
    return PartModel(tuple(bias), _stored(names, weights), WEIGHT_UNIT, DAMPING, thresholds)


def _fits_pattern(part: str, sentences: Sequence[Sentence]) -> NDArray[np.bool_]:
    said = COMPONENTS[part][1] if part in COMPONENTS else re.compile(r"(?!)")
    return np.array([said.search(each.text) is not None for each in sentences])


def _rows(terms: Sequence[Collection[str]], names: Sequence[str]) -> csr_matrix:
    """Return the vectors that ``PartModel.probabilities`` multiplies with its weights, as rows."""
    columns = {name: column for column, name in enumerate(names)}
    values: list[float] = []
    places: list[int] = []
    ends = [0]
    for each in terms:
        known = sorted(columns[term] for term in each if term in columns)
        values += [1 / np.sqrt(len(known) + DAMPING)] * len(known)
        places += known
        ends.append(len(places))
    return csr_matrix((values, places, ends), shape=(len(terms), len(names)))


def _stored(names: Sequence[str], weights: NDArray[np.float64]) -> dict[str, list[int]]:
    """Return the weights by term as pairs of part and weight; those near zero are left out."""
    whole = np.rint(weights / WEIGHT_UNIT).astype(int)
    stored = {}
    for column, name in enumerate(names):
        parts = np.flatnonzero(np.abs(whole[:, column]) >= LEAST_WEIGHT)
        if len(parts):
            stored[name] = [int(v) for part in parts for v in (part, whole[part, column])]
    return stored


def _as_json(model: PartModel) -> str:
    """Return the model with one term a line, so that changes can be read."""
    head = {
        "parts": PARTS,
        "bias": model.bias,
        "weight_unit": model.weight_unit,
        "damping": model.damping,
        "thresholds": model.thresholds,
    }
    lines = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in head.items()]
    terms = ",\n".join(
        f"{json.dumps(term)}:{json.dumps(weights, separators=(',', ':'))}"
        for term, weights in model.terms.items()
    )
    return "{" + ",\n".join(lines) + ',\n"terms":{\n' + terms + "\n}}\n"


if __name__ == "__main__":
    main()
