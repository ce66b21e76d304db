"""What a person could say more clearly in a prompt, in a few lines for the model that reads it.

Standard library alone, for a hook that starts anew with each prompt.
"""

from collections.abc import Mapping

from ml_orchestrator.text.prompt_features import text_features
from ml_orchestrator.text.prompt_fit import RuleFit, n_concrete, rule_fits
from ml_orchestrator.text.prompt_parts import split_prompt

__all__ = ["MAX_CHARACTERS", "prompt_hints"]

MAX_CHARACTERS = 20_000
_LEAST_FIT = 0.5
_MOST_HINTS = 3
_LEAST_WORDS = 3  # "yes", "go on": answers, not tasks
_SOME_WORDS = 12
_LEAST_UNCLEAR = 2
_UNCLEAR = frozenset({"clarity", "specificity", "data_safety", "decomposition"})
_COMMANDS = ("/", "!", "#", "@")
_HEAD = (
    "Notes on this prompt by counting words (level L0, no model read it; they say what it lacks, "
    "not that an answer would be worse):"
)
_FOOT = (
    "Where one of them would change the answer, ask, or say what you assume; otherwise go on. "
    "The tool prompt_improve can rewrite a prompt."
)


def prompt_hints(prompt: str) -> str | None:
    """Return what to tell the model about this prompt, or None where nothing is worth it.

    Nothing of the prompt is repeated. Commands, answers, ordinary turns and prompts that are not in
    English have no hints: it speaks of a task that is vague and names nothing concrete, and of a
    prompt of twelve words or more that is unclear in two ways. Of one longer than 20,000 characters
    the beginning is read.

    >>> print(prompt_hints("What does 17 plus 25 make?"))
    None
    >>> "vague" in prompt_hints("Make the stuff on the page somehow nicer and better")
    True
    """
    if prompt.lstrip().startswith(_COMMANDS):
        return None
    features = text_features(split_prompt(prompt[:MAX_CHARACTERS]))
    if not features["is_english"] or features["n_words"] < _LEAST_WORDS:
        return None
    fits = [fit for fit in rule_fits(features) if fit.fit >= _LEAST_FIT]
    if not _is_worth_it(fits, features):
        return None
    lines = [f"- {fit.rule.replace('_', ' ')}: {fit.reason}" for fit in fits[:_MOST_HINTS]]
    return "\n".join([_HEAD, *lines, _FOOT])


def _is_worth_it(fits: list[RuleFit], features: Mapping[str, float]) -> bool:
    """Return whether a prompt of some length is unclear in two ways, or a task is but vague."""
    n_unclear = sum(fit.rule in _UNCLEAR for fit in fits)
    is_vague = features["n_vague"] >= 2 or (
        features["n_vague"] and features["opens_with_reference"]
    )
    return (features["n_words"] >= _SOME_WORDS and n_unclear >= _LEAST_UNCLEAR) or bool(
        features["has_task_verb"] and is_vague and not n_concrete(features)
    )
