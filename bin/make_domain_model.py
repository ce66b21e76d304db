"""Write ``server/ml_orchestrator/analysis/domain_model.json`` from ``bin/domain_model/*.txt``.

Each file has the words of a domain and examples of prompts, all written for this project. The
strength of the penalty and the damping are those with the lowest log loss on folds that a model
did not see; so is the temperature. Run it from ``.venv``; the same inputs give the same file.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from ml_orchestrator.analysis.domain import DOMAINS, MODEL_FILE, DomainModel, term_counts
from ml_orchestrator.text.phrases import tokens_of

__all__ = ["Text", "fit", "log_loss", "make_model", "read_texts"]

SOURCES = Path(__file__).with_name("domain_model")
N_FOLDS = 6
PENALTIES = (1.0, 3.0, 10.0)
DAMPINGS = (20.0, 80.0, 320.0)
WORD_WEIGHTS = (1.0, 2.0, 4.0)
IDF_UNIT = 0.05
WEIGHT_UNIT = 0.05
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Text:
    """One text to learn from: an example of a prompt, or a word or phrase of a domain."""

    counts: Counter[str]
    domain: int
    is_example: bool


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is fitted."""

    penalty: float
    damping: float
    word_weight: float


def main() -> None:
    """Choose the options, fit, calibrate and write the file."""
    texts = read_texts()
    model, options, loss = make_model(texts)
    MODEL_FILE.write_text(_as_json(model), encoding="utf-8")
    n = sum(text.is_example for text in texts)
    sys.stdout.write(
        f"{n} examples, {len(texts) - n} words; {options}; temperature {model.temperature:.3f}\n"
        f"log loss on unseen folds {loss:.3f}; {len(model.terms)} terms\n"
    )


def read_texts() -> list[Text]:
    """Return every text of every domain."""
    texts = []
    for number, domain in enumerate(DOMAINS):
        content = (SOURCES / f"{domain}.txt").read_text(encoding="utf-8")
        words, examples = content.split("= examples\n")
        phrases = words.removeprefix("= words\n").replace("\n", " ").split(",")
        texts += [Text(_counts(phrase), number, is_example=False) for phrase in phrases]
        texts += [Text(_counts(line), number, is_example=True) for line in examples.splitlines()]
    return texts


def make_model(texts: Sequence[Text]) -> tuple[DomainModel, Options, float]:
    """Return the calibrated model, its options and its log loss on unseen folds."""
    tried = []
    for values in product(PENALTIES, DAMPINGS, WORD_WEIGHTS):
        options = Options(*values)
        scores, domains = _unseen_scores(texts, options)
        temperature = _best_temperature(scores, domains)
        tried.append((log_loss(scores / temperature, domains), values, temperature))
    loss, values, temperature = min(tried)
    options = Options(*values)
    return replace(fit(texts, options), temperature=round(temperature, 4)), options, loss


def fit(texts: Sequence[Text], options: Options) -> DomainModel:
    """Return a model of these texts with temperature 1, its numbers rounded as they are stored."""
    idf = _idf(texts)
    model = DomainModel((0.0,) * len(DOMAINS), {}, IDF_UNIT, WEIGHT_UNIT, options.damping, 1.0)
    rows = _rows(texts, idf, options.damping)
    learner = LogisticRegression(C=options.penalty, max_iter=500, tol=1e-3)
    weights = [1.0 if text.is_example else options.word_weight for text in texts]
    learner.fit(rows, [text.domain for text in texts], sample_weight=weights)
    stored = np.rint(learner.coef_ / WEIGHT_UNIT).astype(int)
    terms = {
        term: [idf[term], *map(int, stored[:, column])]
        for column, term in enumerate(sorted(idf))
        if stored[:, column].any()
    }
    bias = tuple(round(float(value), 4) for value in learner.intercept_)
    return replace(model, bias=bias, terms=terms)


def log_loss(scores: Array, domains: NDArray[np.int64]) -> float:
    """Return the mean negative logarithm of the right domain's probability, in nats.

    ``scores`` has shape ``(n_texts, n_domains)``.
    """
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(domains)), domains].mean())


def _counts(text: str) -> Counter[str]:
    return term_counts(tokens_of(text))


def _idf(texts: Sequence[Text]) -> dict[str, int]:
    """Return the inverse document frequency of each kept term, in units of ``IDF_UNIT``.

    A pair of words is kept if it stands in two texts or is a phrase of a vocabulary.
    """
    n_texts = Counter(term for text in texts for term in text.counts)
    phrases = {term for text in texts if not text.is_example for term in text.counts}
    return {
        term: round((1 + np.log((1 + len(texts)) / (1 + n))) / IDF_UNIT)
        for term, n in n_texts.items()
        if " " not in term or n > 1 or term in phrases
    }


def _rows(texts: Sequence[Text], idf: dict[str, int], damping: float) -> csr_matrix:
    """Return the vectors that ``DomainModel.scores`` multiplies with its weights, as rows."""
    columns = {term: column for column, term in enumerate(sorted(idf))}
    values: list[float] = []
    places: list[int] = []
    ends = [0]
    for text in texts:
        known = [(term, n) for term, n in text.counts.items() if term in columns]
        row = np.array([(1 + np.log(n)) * idf[term] * IDF_UNIT for term, n in known])
        length = np.sqrt(damping + row @ row)
        values += list(row / length if length else row)
        places += [columns[term] for term, _ in known]
        ends.append(len(values))
    return csr_matrix((values, places, ends), shape=(len(texts), len(columns)))


def _unseen_scores(texts: Sequence[Text], options: Options) -> tuple[Array, NDArray[np.int64]]:
    """Return the scores of every example by a model that was fitted without it."""
    examples = [text for text in texts if text.is_example]
    words = [text for text in texts if not text.is_example]
    domains = np.array([text.domain for text in examples])
    scores = np.zeros((len(examples), len(DOMAINS)))
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(domains, domains):
        model = fit([*words, *(examples[i] for i in seen)], options)
        scores[unseen] = [model.scores(examples[i].counts) for i in unseen]
    return scores, domains


def _best_temperature(scores: Array, domains: NDArray[np.int64]) -> float:
    found = minimize_scalar(
        lambda logarithm: log_loss(scores / np.exp(logarithm), domains),
        bounds=(-3, 3),
        method="bounded",
    )
    return float(np.exp(found.x))


def _as_json(model: DomainModel) -> str:
    """Return the model with one term a line, so that changes can be read."""
    head = {
        "domains": DOMAINS,
        "bias": model.bias,
        "idf_unit": model.idf_unit,
        "weight_unit": model.weight_unit,
        "damping": model.damping,
        "temperature": model.temperature,
    }
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    lines = [f"{json.dumps(name)}:{json.dumps(value, **compact)}" for name, value in head.items()]  # type: ignore[arg-type]
    terms = ",\n".join(
        f"{json.dumps(t, ensure_ascii=False)}:{json.dumps(w, separators=(',', ':'))}"
        for t, w in model.terms.items()
    )
    return "{" + ",\n".join(lines) + ',\n"terms":{\n' + terms + "\n}}\n"


if __name__ == "__main__":
    main()
