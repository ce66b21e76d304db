"""Write the model of questions of ``server/ml_orchestrator/optimization`` from labelled prompts.

The cases are the prompts of ``benchmarks/rule_prompts``, and each defect that an operator puts into
a good one; where a rule asks, its question is right if the operator or a reader's label names the
rule. A file is read with a model of sentences that did not see it. How strongly the weights are
held near zero is chosen by F1 of the questions that are kept, on files left out one at a time. Run
it from ``.venv`` after ``make_part_model.py``; the same inputs give the same file.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml_orchestrator.optimization import part_model
from ml_orchestrator.optimization.prompt_terms import prompt_terms
from ml_orchestrator.optimization.question_model import (
    ASKED_FROM,
    ASKING_RULES,
    MODEL_FILE,
    QuestionModel,
)
from ml_orchestrator.optimization.reading import Reading, read_prompt
from ml_orchestrator.optimization.rules import RULES

sys.path.append(str(Path(__file__).parents[1]))
from bin.make_part_model import LONG_PROMPT_FILES, PROMPTS, make_strict_model, read_sentences

sys.path.append(str(PROMPTS.parent))
from _labelled_prompts import LabelledPrompt, read_labelled
from _prompt_defects import defects, read_prompts

__all__ = ["Case", "cases", "fit", "left_out"]

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
LEAST_CASES = 5  # a term of fewer says nothing about others


@dataclass(frozen=True, slots=True)
class Case:
    """The terms of a prompt of a file, what the rules ask there, and which rules are right."""

    file: str
    terms: dict[str, float]
    asked: frozenset[str]
    wanted: frozenset[str]


def cases(files: Sequence[str] = LONG_PROMPT_FILES) -> list[Case]:
    """Return all cases in which a rule asks, each file read as if it were new."""
    found = []
    for name in files:
        others = [each for each in files if each != name]
        with _sentences_by(make_strict_model(read_sentences(others))):
            found += [case for case in _of_file(name) if case.asked]
    return found


@contextmanager
def _sentences_by(model: part_model.PartModel) -> Iterator[None]:
    """Let prompts be read with another model of sentences."""
    kept = part_model.part_model

    def chosen(path: Path = part_model.MODEL_FILE) -> part_model.PartModel:
        return model if path == part_model.STRICT_MODEL_FILE else kept(path)

    _forget()
    with patch.object(part_model, "part_model", chosen):
        yield
    _forget()


def _forget() -> None:
    part_model.strict_probabilities.cache_clear()
    read_prompt.cache_clear()


def _of_file(name: str) -> Iterator[Case]:
    for text, wanted in texts(name):
        reading = read_prompt(text)
        if reading.is_english:
            yield Case(name, prompt_terms(reading), _asked(reading), wanted)


def _asked(reading: Reading) -> frozenset[str]:
    """Return the rules that ask, whether or not it is worth it."""
    found = ((rule, RULES[rule].find(reading)) for rule in ASKING_RULES)
    return frozenset(rule for rule, finding in found if finding and not finding.edits)


def texts(name: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the text of each case of a file, with the rules that should find something in it."""
    for each in _prompts(name):
        yield each.prompt.text, each.flaws
        if not each.flaws:
            for defect in defects(each.prompt, 0):
                yield defect.text, frozenset({defect.expected})


def _prompts(name: str) -> list[LabelledPrompt]:
    path = PROMPTS / f"{name}.txt"
    if "[good]" in path.read_text(encoding="utf-8"):
        return read_labelled(path)
    return [LabelledPrompt(each, frozenset()) for each in read_prompts(name)]


def fit(given: Sequence[Case], penalty: float) -> QuestionModel:
    """Return one logistic regression a rule over the cases where it asks, rounded as stored."""
    names = _names(given)
    learners = [_learner(rule, given, names, penalty) for rule in ASKING_RULES]
    weights = {
        name: tuple(round(float(each.coef_[0][column]), 3) for each in learners)
        for column, name in enumerate(names)
    }
    return QuestionModel(tuple(round(float(each.intercept_[0]), 3) for each in learners), weights)


def _names(given: Sequence[Case]) -> list[str]:
    counts = Counter(term for case in given for term, value in case.terms.items() if value)
    return sorted(term for term, n in counts.items() if n >= LEAST_CASES)


def _learner(
    rule: str, given: Sequence[Case], names: Sequence[str], penalty: float
) -> LogisticRegression:
    mine = [case for case in given if rule in case.asked]
    rows = np.array([[case.terms.get(name, 0.0) for name in names] for case in mine])
    is_right = np.array([rule in case.wanted for case in mine])
    return LogisticRegression(C=penalty, max_iter=2_000).fit(rows, is_right)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The questions of files that a model did not see: how likely each was, and if it was right."""

    chances: NDArray[np.float64]
    is_right: NDArray[np.bool_]

    @property
    def log_loss(self) -> float:
        """Return the mean log loss of the chances."""
        given = np.where(self.is_right, self.chances, 1 - self.chances)
        return float(-np.log(np.clip(given, 1e-9, 1)).mean())

    @property
    def f1(self) -> float:
        """Return F1 of the questions that are kept among those that are right."""
        kept = self.chances >= ASKED_FROM
        return 2 * float((self.is_right & kept).sum()) / int(self.is_right.sum() + kept.sum())

    def __str__(self) -> str:
        kept = self.chances >= ASKED_FROM
        return (
            f"F1 {self.f1:.3f}, log loss {self.log_loss:.3f}; {self.is_right.mean():.1%} of "
            f"{len(kept)} questions are right, of the {kept.sum()} that are kept "
            f"{self.is_right[kept].mean():.1%}, and "
            f"{(self.is_right & kept).sum() / self.is_right.sum():.1%} of the right ones are kept"
        )


def left_out(given: Sequence[Case], penalty: float) -> Outcome:
    """Return how models fare on the questions of each file, learned from the other files."""
    chances, is_right = [], []
    for name in dict.fromkeys(case.file for case in given):
        model = fit([case for case in given if case.file != name], penalty)
        for case in given:
            if case.file == name:
                found = model.chances(case.terms)
                chances += [found[rule] for rule in sorted(case.asked)]
                is_right += [rule in case.wanted for rule in sorted(case.asked)]
    return Outcome(np.array(chances), np.array(is_right))


def main() -> None:
    """Choose, fit and write the file."""
    given = cases()
    tried = {penalty: left_out(given, penalty) for penalty in PENALTIES}
    best = max(PENALTIES, key=lambda each: tried[each].f1)
    MODEL_FILE.write_text(_as_json(fit(given, best)), encoding="utf-8")
    for penalty, outcome in tried.items():
        mark = "*" if penalty == best else " "
        sys.stdout.write(f"{mark} C={penalty}: {outcome}\n")


def _as_json(model: QuestionModel) -> str:
    """Return the model with one term a line, so that changes can be read."""
    head = {"rules": ASKING_RULES, "bias": model.bias}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    terms = ",\n".join(
        f"{json.dumps(term)}: {json.dumps(weights)}" for term, weights in model.weights.items()
    )
    return "{" + ",\n".join(lines) + ',\n"weights": {\n' + terms + "\n}}\n"


if __name__ == "__main__":
    main()
