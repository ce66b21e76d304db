"""A prompt made better by the rules that apply to it, and the account of what was done."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.optimization.idle_rules import why_idle
from ml_orchestrator.optimization.intent import losses
from ml_orchestrator.optimization.models import AppliedRule, Improvement, SkippedRule
from ml_orchestrator.optimization.reading import FILL, Reading, read_prompt
from ml_orchestrator.optimization.rubric import score_prompt
from ml_orchestrator.optimization.rule_order import in_order
from ml_orchestrator.optimization.rules import RULES, Finding, Rule, finding_of
from ml_orchestrator.text import cut

__all__ = ["MAX_CHARACTERS", "MOST_PASSES", "candidates", "conflicts_with", "improve"]

MAX_CHARACTERS = 20_000
MOST_PASSES = 4
_WHERE_CHARACTERS = 120
_LANGUAGE = "The prompt does not read as English; the rules write English, so none was applied."
_ASKED = " What its words seem to lack is asked."


@dataclass
class _Draft:
    """A prompt on its way, with what was done to it, by rule."""

    text: str
    is_wished: bool
    applied: dict[str, AppliedRule] = field(default_factory=dict)
    skipped: dict[str, SkippedRule] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Limits:
    """How far a prompt may change; ``longest`` is in words."""

    max_rules: int | None
    longest: int | None
    may_ask: bool


def candidates(prompt: str, rules: Iterable[str] | None = None) -> dict[str, Finding]:
    """Return which rules apply to a prompt as it stands, with what each found, in their order.

    Raises:
        NotFoundError: a name is no rule.
        InvalidInputError: the prompt is empty or too long.
    """
    reading = _checked(prompt)
    found = ((rule.name, finding_of(rule, reading)) for rule in in_order(rules))
    return {name: finding for name, finding in found if finding is not None}


def conflicts_with(rule: Rule, applied: Iterable[str]) -> list[str]:
    """Return which of the applied rules bar this one, by name."""
    return sorted(
        name for name in applied if name in rule.conflicts or rule.name in RULES[name].conflicts
    )


def improve(
    prompt: str,
    rules: Sequence[str] | None = None,
    *,
    max_rules: int | None = None,
    max_added_words: int | None = None,
    may_ask: bool = True,
    explains_idle: bool = True,
) -> Improvement:
    """Apply the rules that fit, in their order, and account for each.

    A rule is held back when a rule that it conflicts with was applied, a limit is reached, or
    it would lose something of the intent. Without limits, a second time changes nothing.

    A rule that misses a part writes it into a bare prompt (``Reading.is_bare``) and else asks. One
    that is named by ``rules`` writes it into any of up to 90 words, so that it can be judged.

    Args:
        prompt: Up to 20,000 characters.
        rules: Names of rules to use; all by default. They run by their declared order, those with
            ``>`` before their names before the others.
        max_rules: Apply at most so many.
        max_added_words: Let the prompt grow by at most so many words.
        may_ask: Allow questions, and changes with marks ``[FILL IN: …]``, which only the author can
            fill.
        explains_idle: List those of ``rules`` that have nothing to do as skipped, with the reason.

    Raises:
        NotFoundError: a name is no rule.
        InvalidInputError: the prompt is empty or too long, or a limit is below zero.
    """
    reading = _checked(prompt)
    _check_limits(max_rules, max_added_words)
    draft = _Draft(prompt, is_wished=rules is not None)
    longest = None if max_added_words is None else len(prompt.split()) + max_added_words
    limits = _Limits(max_rules, longest, may_ask)
    for _ in range(MOST_PASSES):  # a change may bring to light what an earlier rule is about
        old = draft.text
        for rule in in_order(rules):
            _try(draft, rule, limits)
        if draft.text == old:
            break
    if rules is not None and explains_idle:
        _account_for_idle(draft, prompt, rules)
    before = score_prompt(reading).score
    return Improvement(
        text=draft.text,
        diff=_diff(prompt, draft.text),
        applied=tuple(draft.applied.values()),
        skipped=tuple(draft.skipped.values()),
        questions=(*_questions(draft.text), *draft.asked.values()),
        score_before=before,
        score_after=before if draft.text == prompt else score_prompt(draft.text).score,
        note=None if reading.is_english else _LANGUAGE + (_ASKED if draft.asked else ""),
    )


def _checked(prompt: str) -> Reading:
    if not prompt.strip():
        raise InvalidInputError("The prompt is empty. Give the text that is to be made better.")
    if len(prompt) > MAX_CHARACTERS:
        raise InvalidInputError(
            f"The prompt has {len(prompt):,} characters; at most {MAX_CHARACTERS:,} are read. "
            "Put a placeholder such as {document} in the place of long data."
        )
    return read_prompt(prompt)


def _check_limits(max_rules: int | None, max_added_words: int | None) -> None:
    for name, limit in (("max_rules", max_rules), ("max_added_words", max_added_words)):
        if limit is not None and limit < 0:
            raise InvalidInputError(f"{name} is {limit}; it must be 0 or more, or left out.")


def _try(draft: _Draft, rule: Rule, limits: _Limits) -> None:
    try:
        reading = read_prompt(draft.text, is_wished=draft.is_wished)
        finding = rule.applies(reading)
        if finding is None:
            return
        if not finding.edits:
            _ask(draft, rule, finding, limits)
            return
        new = rule.apply(reading)
    except UnavailableError as error:  # another package's; the other rules go on
        draft.skipped[rule.name] = SkippedRule(rule=rule.name, reason=str(error))
        return
    if why_not := _why_not(draft, rule, new, limits):
        draft.skipped[rule.name] = SkippedRule(rule=rule.name, reason=why_not)
        return
    where = cut(draft.text[finding.start : finding.end].strip(), _WHERE_CHARACTERS)
    account = AppliedRule(rule=rule.name, reason=finding.reason, where=where)
    draft.applied.setdefault(rule.name, account)
    draft.text = new


def _account_for_idle(draft: _Draft, prompt: str, rules: Iterable[str]) -> None:
    """Note why rules that were named did nothing."""
    given = read_prompt(prompt, is_wished=True)
    for rule in in_order(rules):
        if rule.name not in draft.applied | draft.skipped | draft.asked:
            reason = why_idle(rule, given)
            draft.skipped[rule.name] = SkippedRule(rule=rule.name, reason=reason, fits=False)


def _ask(draft: _Draft, rule: Rule, finding: Finding, limits: _Limits) -> None:
    """Note the question of a rule that would rather ask than change a prompt."""
    if limits.may_ask:
        draft.asked[rule.name] = finding.question
    else:
        reason = f"It would ask, and may_ask is false: {finding.question}"
        draft.skipped[rule.name] = SkippedRule(rule=rule.name, reason=reason)


def _why_not(draft: _Draft, rule: Rule, new: str, limits: _Limits) -> str:
    """Return why a rule is held back, or an empty text."""
    if against := conflicts_with(rule, draft.applied):
        return f"It conflicts with {against[0]}, which was applied."
    n_rules = len({*draft.applied, rule.name})
    if limits.max_rules is not None and n_rules > limits.max_rules:
        return f"max_rules={limits.max_rules} is reached."
    if limits.longest is not None and len(new.split()) > limits.longest:
        return "The prompt would grow by more than max_added_words."
    if not limits.may_ask and len(FILL.findall(new)) > len(FILL.findall(draft.text)):
        return "It needs something that only the author knows."
    lost = losses(draft.text, new)
    return f"It would lose {lost[0]}." if lost else ""


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "given", "improved", lineterm="", n=1
    )
    return "\n".join(lines)


def _questions(text: str) -> Iterator[str]:
    for what in dict.fromkeys(match[1] for match in FILL.finditer(text)):
        yield f"{what[0].upper()}{what[1:]}?"
