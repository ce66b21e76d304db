"""Applying many rule sets to the same prompts, remembering each step.

The rules, their order, limits and passes are those of ``improve``; here nothing is accounted for,
and what one rule makes of one text is found out once.
"""

import time
from dataclasses import dataclass

from ml_orchestrator.optimization.copying import estimated_tokens
from ml_orchestrator.optimization.improve import MOST_PASSES, conflicts_with
from ml_orchestrator.optimization.intent import losses
from ml_orchestrator.optimization.reading import FILL, read_prompt
from ml_orchestrator.optimization.rubric import score_prompt
from ml_orchestrator.optimization.rule_order import in_order
from ml_orchestrator.optimization.rules import Rule
from ml_orchestrator.optimization.search.models import RulePlan

__all__ = ["Applied", "RuleApplier"]

MOST_REMEMBERED = 50_000_000  # characters, of texts before and after; then all is forgotten
# Microseconds a character, to read a text and for a rule's look; `benchmarks/rule_latency.py` fits
# them and judges them by the clock. They put rule sets in an order; by how much, the clock says.
READING_US, LOOK_US = 1.26, 0.19


@dataclass(frozen=True, slots=True)
class Applied:
    """A prompt under a rule set.

    ``is_risky``: it has marks that it had not, or a rule was held back to keep its intent.
    ``n_read``: characters of the texts on the way; ``n_looked_at``: characters that rules looked
    at, text by text.
    """

    text: str
    score: float
    tokens: int
    is_risky: bool
    n_read: int
    n_looked_at: int

    @property
    def latency_ms(self) -> float:
        """What applying the rules takes, estimated; it repeats, as what the clock says does not."""
        return (READING_US * self.n_read + LOOK_US * self.n_looked_at) / 1e3


@dataclass(frozen=True, slots=True)
class _Step:
    """What one rule makes of one text."""

    text: str
    n_words: int
    n_marks: int
    is_lossy: bool


class RuleApplier:
    """Applies rule sets; the same text under the same rule is worked out once."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], _Step | None] = {}
        self._scores: dict[str, float] = {}
        self._n_remembered = 0

    def apply(self, prompt: str, plan: RulePlan) -> Applied:
        """Return what becomes of a prompt, as ``improve`` would leave it."""
        rules = in_order(plan.rules)
        longest = None
        if plan.max_added_words is not None:
            longest = len(prompt.split()) + plan.max_added_words
        text, applied, is_held = prompt, set[str](), False
        looked_at = set[tuple[str, str]]()
        for _ in range(MOST_PASSES):
            before = text
            for rule in rules:
                step = self._step(rule, text)
                looked_at.add((rule.name, text))
                if step is None or conflicts_with(rule, applied):
                    continue
                if longest is not None and step.n_words > longest:
                    continue
                if not plan.may_ask and step.n_marks > len(FILL.findall(text)):
                    continue
                if step.is_lossy:
                    is_held = True
                    continue
                applied.add(rule.name)
                text = step.text
            if text == before:
                break
        is_open = len(FILL.findall(text)) > len(FILL.findall(prompt))
        return Applied(
            text=text,
            score=self.score(text),
            tokens=estimated_tokens(text),
            is_risky=is_open or is_held,
            n_read=sum(map(len, {prompt, text, *(seen for _, seen in looked_at)})),
            n_looked_at=sum(len(seen) for _, seen in looked_at),
        )

    def score(self, text: str) -> float:
        """Return the rubric's score of a text."""
        if text not in self._scores:
            self._make_room(len(text))
            self._scores[text] = score_prompt(text).score
        return self._scores[text]

    def milliseconds(self, prompts: list[str], plan: RulePlan) -> float:
        """Return the mean time that the rules take for one of ``prompts``, measured afresh."""
        fresh = RuleApplier()
        began = time.perf_counter()
        for prompt in prompts:
            fresh.apply(prompt, plan)
        return (time.perf_counter() - began) * 1e3 / len(prompts)

    def _step(self, rule: Rule, text: str) -> _Step | None:
        key = (rule.name, text)
        if key not in self._steps:
            made = _made(rule, text)
            self._make_room(len(text) + (len(made.text) if made else 0))
            self._steps[key] = made
        return self._steps[key]

    def _make_room(self, n_characters: int) -> None:
        if self._n_remembered + n_characters > MOST_REMEMBERED:
            self._steps.clear()
            self._scores.clear()
            self._n_remembered = 0
        self._n_remembered += n_characters


def _made(rule: Rule, text: str) -> _Step | None:
    reading = read_prompt(text, is_wished=True)  # what a rule writes is what is to be judged
    finding = rule.applies(reading)
    if finding is None or not finding.edits:
        return None
    new = rule.apply(reading)
    return _Step(new, len(new.split()), len(FILL.findall(new)), bool(losses(text, new)))
