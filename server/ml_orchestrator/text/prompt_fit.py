"""Which kinds of rule fit a prompt, judged from its features alone.

Each judgement gives 0 to 1 and a reason with the numbers it rests on. It says what a prompt
lacks, not that a rule will help: that is for logged outcomes to tell. Standard library alone.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["RULE_KINDS", "RuleFit", "n_concrete", "rule_fits"]

Features = Mapping[str, float]
_SHORTEST_WORDS = 25  # below, a prompt of one plain sentence needs few parts
_LONG_WORDS = 120


class RuleFit(NamedTuple):
    """A kind of rule, how well it fits (0 to 1) and why."""

    rule: str
    fit: float
    reason: str


Judgement = tuple[float, str]


def _clarity(f: Features) -> Judgement:
    if f["opens_with_reference"]:
        return 0.8, "it opens with a word such as 'it' or 'this' that points at nothing before it"
    if f["n_vague"]:
        return min(1.0, 0.3 + 5 * f["vague_share"]), f"{f['n_vague']:.0f} vague words"
    if f["longest_sentence_words"] > 45:
        return 0.5, f"one sentence has {f['longest_sentence_words']:.0f} words"
    if not f["has_task_verb"] and not f["n_questions"] and f["is_english"]:
        return 0.5, "no sentence begins with a task verb or asks something"
    return 0.0, ""


def _specificity(f: Features) -> Judgement:
    n_details = n_concrete(f)
    if f["n_words"] < 12 and n_details == 0 and not _is_small_question(f):
        return 0.8, f"{f['n_words']:.0f} words and no number, file, name in code or quotation"
    if f["n_vague"] >= 2 and n_details < f["n_vague"]:
        return 0.5, f"{f['n_vague']:.0f} vague words beside {n_details:.0f} details"
    return 0.0, ""


def n_concrete(features: Features) -> float:
    """Return how many concrete things a prompt names: numbers, files, code, quotes, addresses."""
    names = ("n_numbers", "n_code_names", "n_inline_code", "n_fences", "n_quotes", "n_urls")
    return sum(features[name] for name in names)


def _structure(f: Features) -> Judgement:
    if f["n_words"] > _LONG_WORDS and f["structure"] < 0.4:
        return min(1.0, 0.4 + f["n_words"] / 600), (
            f"{f['n_words']:.0f} words with hardly a heading, label, tag or list"
        )
    return 0.0, ""


def _output_contract(f: Features) -> Judgement:
    if f["has_output_format"]:
        return 0.0, ""
    if f["is_creative"] and not f["has_length_limit"]:
        return 0.4, "no form or length of the answer is named"
    return (0.0, "") if _is_small_question(f) else (0.7, "no format of the answer is named")


def _examples(f: Features) -> Judgement:
    if f["n_examples"] or _is_small_question(f):
        return 0.0, ""
    if f["refers_to_data"] or f["n_placeholders"]:
        return 0.6, "it will meet many inputs and shows no example"
    return (0.3, "no example shows what is wanted") if f["has_output_format"] else (0.0, "")


def _step_by_step(f: Features) -> Judgement:
    if f["has_steps"] or not f["n_reasoning"]:
        return 0.0, ""
    return min(0.9, 0.4 + 0.2 * f["n_reasoning"]), (
        f"{f['n_reasoning']:.0f} words ask for reasoning and none for steps"
    )


def _role(f: Features) -> Judgement:
    if f["has_role"] or _is_small_question(f):
        return 0.0, ""
    return 0.3, "no role or point of view is given"


def _context_placement(f: Features) -> Judgement:
    if f["n_characters"] > 4_000 and not f["question_at_end"]:
        return 0.6, f"{f['n_characters']:.0f} characters, and no question at the end"
    if not f["has_context"] and f["n_words"] < _LONG_WORDS and not _is_small_question(f):
        return 0.4, "nothing says what it is for or where it stands"
    return 0.0, ""


def _constraints(f: Features) -> Judgement:
    if f["n_constraints"] or f["has_length_limit"] or _is_small_question(f):
        return 0.0, ""
    return 0.6, "no limit, must or must not"


def _success_criteria(f: Features) -> Judgement:
    if f["has_success_criteria"] or f["is_creative"] or _is_small_question(f):
        return 0.0, ""
    return 0.5, "nothing says when the answer is good"


def _decomposition(f: Features) -> Judgement:
    if f["n_task_verbs"] >= 4 and f["n_list_items"] < f["n_task_verbs"] - 1:
        return min(0.9, 0.2 * f["n_task_verbs"]), (
            f"{f['n_task_verbs']:.0f} different tasks and {f['n_list_items']:.0f} list items"
        )
    return 0.0, ""


def _uncertainty(f: Features) -> Judgement:
    if f["has_uncertainty"] or f["is_creative"]:
        return 0.0, ""
    if f["is_factual"] or f["refers_to_data"]:
        return 0.5, "it asks for facts and does not say what to do when they are missing"
    return 0.0, ""


def _brevity(f: Features) -> Judgement:
    share = (f["n_fillers"] + f["n_hedges"]) / max(1.0, f["n_words"])
    if f["n_fillers"] + f["n_hedges"] >= 2 and share > 0.02:
        n = f["n_fillers"] + f["n_hedges"]
        return min(0.9, 0.3 + 8 * share), f"{n:.0f} words that fill or hedge"
    return 0.0, ""


def _data_safety(f: Features) -> Judgement:
    if f["has_bare_data"]:
        return 0.8, "data stands in the prompt without tags around it"
    return 0.0, ""


def _is_small_question(f: Features) -> bool:
    """Return whether this is one plain question, which needs no parts."""
    return bool(f["n_questions"]) and f["n_words"] < _SHORTEST_WORDS and not f["refers_to_data"]


_JUDGES: dict[str, Callable[[Features], Judgement]] = {
    "clarity": _clarity,
    "specificity": _specificity,
    "structure": _structure,
    "output_contract": _output_contract,
    "examples": _examples,
    "step_by_step": _step_by_step,
    "role": _role,
    "context_placement": _context_placement,
    "constraints": _constraints,
    "success_criteria": _success_criteria,
    "decomposition": _decomposition,
    "uncertainty": _uncertainty,
    "brevity": _brevity,
    "data_safety": _data_safety,
}
RULE_KINDS = tuple(_JUDGES)


def rule_fits(features: Features) -> list[RuleFit]:
    """Return the kinds of rule that fit, best first; ties keep the order of ``RULE_KINDS``.

    ``features`` are those of ``prompt_features.text_features``.
    """
    judged = [RuleFit(name, *judge(features)) for name, judge in _JUDGES.items()]
    return sorted((fit for fit in judged if fit.fit > 0), key=lambda fit: -fit.fit)
