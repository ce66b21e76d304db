"""The rule that an answer has a form."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ml_orchestrator.optimization.asked import (
    count_asked,
    fields,
    genre,
    labels,
    options,
    several_targets,
    target,
)
from ml_orchestrator.optimization.needs import is_needed
from ml_orchestrator.optimization.reading import Reading, fill
from ml_orchestrator.optimization.rules.contract import Finding, rule
from ml_orchestrator.optimization.sections import added

__all__ = ["output_contract"]

_FORM = re.compile(
    r"\b(?:as|in|into|to|of) (?:an? |the )?(?:valid )?(?:json|csv|tsv|yaml|xml|html|markdown|table|spreadsheet|bullets?|bullet points)\b"
    r"|\b\d+ rows\b|\b(?:with|and) (?:the )?(?:columns|fields|headings)\b",
    re.IGNORECASE,
)
_SCALE = re.compile(r"\bfrom \d+ to \d+\b|\bout of \d+\b", re.IGNORECASE)


@rule("output_contract", kind="add", order=70)
def output_contract(reading: Reading) -> Finding | None:
    """State the form of the answer, drawn from what is asked for."""
    if not is_needed(reading, "output") or reading.has("output") or _names_form(reading):
        return None
    contract = _CONTRACTS[reading.kind](reading)
    if not contract:
        return None
    return added(
        reading,
        "Output format",
        contract,
        reason="Nothing says what the answer should look like, so it will differ each time.",
    )


def _names_form(reading: Reading) -> bool:
    """Say whether the task itself names a form, which a usual one would contradict."""
    if reading.task is None or reading.kind in {"convert", "code", "debug"}:
        return False
    return _FORM.search(reading.task.sentence) is not None


def _classify(reading: Reading) -> str:
    found = labels(reading)
    names = ", ".join(found) if found else fill("the labels to choose from")
    return f"Answer with exactly one of these labels and nothing else: {names}."


def _extract(reading: Reading) -> str:
    found = fields(reading)
    keys = ", ".join(_key(name) for name in found) if found else fill("the names of the fields")
    return f"Return one JSON object with the keys {keys}, and nothing else."


def _key(name: str) -> str:
    return f'"{name.lower().replace(" ", "_").replace("-", "_")}"'


def _summarise(reading: Reading) -> str:
    length = "" if reading.has("length") else f" of {fill('how many')} bullets or sentences"
    return f"Return only the summary{length}, as plain text, the main point first."


def _translate(reading: Reading) -> str:
    if several_targets(reading):
        return ""
    return f"Return only the {target(reading) or 'translated'} text, with its line breaks kept."


def _rewrite(_: Reading) -> str:
    return "Return only the rewritten text, without comments on the changes."


def _write(reading: Reading) -> str:
    kind = genre(reading)
    if "mail" in kind:
        return "Return the subject line on the first line, then the body, and nothing else."
    if kind in {"poem", "haiku", "song", "story", "speech", "sonnet"}:
        return f"Return a title and the {kind}, and nothing else."
    if kind in {"article", "blog post", "essay", "report", "guide", "tutorial", "proposal"}:
        return f"Return the {kind} in Markdown: a title, then sections with headings."
    return f"Return only the {kind or 'finished text'}, ready to be used, without a preamble."


def _code(_: Reading) -> str:
    return (
        "Return the complete code in one code block, then at most a short list of the decisions "
        "that a reviewer should know."
    )


def _debug(_: Reading) -> str:
    return "Return, in this order: the cause in one sentence, the corrected code in a code block, and how to confirm the fix."


def _review(reading: Reading) -> str:
    if reading.task and reading.task.verb.lower() in {"rate", "score", "grade"}:
        scale = _SCALE.search(reading.task.sentence)
        of = f" {scale[0]}" if scale else ""
        return f"Return the rating{of} on the first line, then the reasons for it, one per line."
    return (
        "Return a list of findings, the most serious first; each with the place, what is wrong, "
        "why it matters and a concrete change."
    )


def _analyse(_: Reading) -> str:
    return (
        "Return sections with these headings: Findings (each with the evidence for it), "
        "Open questions, Conclusion."
    )


def _decide(reading: Reading) -> str:
    found = options(reading)
    rows = ", ".join(found) if found else "the options"
    return f"Return a table with one row per criterion and one column for each of {rows}; below it, the choice and the reason in one sentence."


def _calculate(_: Reading) -> str:
    return "Return the steps one per line, then the result with its unit on its own line."


def _plan(_: Reading) -> str:
    return (
        "Return a numbered list of steps in the order they are done; each with who does it, when, "
        "and what is there afterwards."
    )


def _brainstorm(reading: Reading) -> str:
    many = count_asked(reading) or ("" if reading.has("count") else f"{fill('how many')} items")
    return f"Return a numbered list{' of ' if many else ''}{many}, one per line, each with one sentence on why it fits."


def _explain(_: Reading) -> str:
    return (
        "Return the short answer in the first sentence, then the explanation in short paragraphs, "
        "then one worked example."
    )


def _convert(_: Reading) -> str:
    return "Return only the converted content, complete, in one code block."


_CONTRACTS: Mapping[str, Callable[[Reading], str]] = MappingProxyType(
    {
        "classify": _classify,
        "extract": _extract,
        "summarise": _summarise,
        "translate": _translate,
        "rewrite": _rewrite,
        "write": _write,
        "code": _code,
        "debug": _debug,
        "review": _review,
        "analyse": _analyse,
        "decide": _decide,
        "calculate": _calculate,
        "plan": _plan,
        "brainstorm": _brainstorm,
        "explain": _explain,
        "convert": _convert,
    }
)
