"""Files of prompts with a reader's judgement: which are good, and what the others lack.

A block begins with ``=== name [good]`` or ``=== name [flawed: rule, rule]``; its pieces are those
of the other files of prompts. The labels of a flawed prompt are the rules that should find
something.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _prompt_defects import GoodPrompt, read_pieces

from ml_orchestrator.optimization.improve import candidates
from ml_orchestrator.optimization.rules import RULES

__all__ = ["LabelledPrompt", "flaws_found", "read_labelled", "show_flaws"]

_BLOCK = re.compile(r"^=== (\S+) \[(good|flawed: ([a-z_, ]+))\]\n", re.MULTILINE)
_TITLE = re.compile(r"^=== ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LabelledPrompt:
    """A prompt, and the rules that should find something in it; none if it is good."""

    prompt: GoodPrompt
    flaws: frozenset[str]


def read_labelled(path: Path) -> list[LabelledPrompt]:
    """Return the prompts of a file.

    Raises:
        ValueError: a block has no label, or its label is no rule.
    """
    text = path.read_text(encoding="utf-8")
    name_label_rest = _BLOCK.split(text)[1:]
    blocks = list(zip(*(name_label_rest[at::4] for at in (0, 2, 3)), strict=True))
    if len(blocks) != len(_TITLE.findall(text)):
        raise ValueError(f"{path.name}: a block says neither [good] nor [flawed: rule, ...].")
    return [
        LabelledPrompt(GoodPrompt(name, read_pieces(rest)), _rules(path, name, flaws or ""))
        for name, flaws, rest in blocks
    ]


def _rules(path: Path, name: str, flaws: str) -> frozenset[str]:
    named = frozenset(flaws.replace(",", " ").split())
    if unknown := named - set(RULES):
        raise ValueError(f"{path.name}: {name} names no rule: {', '.join(sorted(unknown))}.")
    return named


def flaws_found(prompts: Sequence[LabelledPrompt]) -> dict[str, Any]:
    """Return how the rules that find something agree with the labels of flawed prompts.

    Each pair of a prompt and a rule counts once (micro average).
    """
    pairs = [(each, frozenset(candidates(each.prompt.text))) for each in prompts if each.flaws]
    hits = Counter(rule for each, found in pairs for rule in each.flaws & found)
    missed = Counter(rule for each, found in pairs for rule in each.flaws - found)
    alarms = Counter(rule for each, found in pairs for rule in found - each.flaws)
    return {
        "n_flawed": len(pairs),
        "n_flaws": hits.total() + missed.total(),
        "touched": sum(bool(found) for _, found in pairs) / max(1, len(pairs)),
        **_agreement(hits.total(), alarms.total(), missed.total()),
        "by_rule": {
            rule: {"hits": hits[rule], "missed": missed[rule], "alarms": alarms[rule]}
            for rule in sorted({*hits, *missed, *alarms})
        },
        "by_prompt": {
            each.prompt.name: {
                "missed": sorted(each.flaws - found),
                "alarms": sorted(found - each.flaws),
            }
            for each, found in pairs
            if found != each.flaws
        },
    }


def _agreement(hits: int, alarms: int, missed: int) -> dict[str, float]:
    return {
        "precision": hits / max(1, hits + alarms),
        "recall": hits / max(1, hits + missed),
        "f1": 2 * hits / max(1, 2 * hits + alarms + missed),
    }


def show_flaws(result: dict[str, Any], *, in_full: bool) -> None:
    """Print the figures of flawed prompts."""
    print(
        f"{result['n_flawed']} flawed prompts with {result['n_flaws']} labels: precision "
        f"{result['precision']:.3f}, recall {result['recall']:.3f}, F1 {result['f1']:.3f}; "
        f"{result['touched']:.1%} have any finding"
    )
    for rule, row in result["by_rule"].items():
        print(f"  {rule:28} {_listed(row.items())}")
    if in_full:
        for name, row in result["by_prompt"].items():
            print(f"    {name}: {_listed((k, ' '.join(v)) for k, v in row.items() if v)}")


def _listed(pairs: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)
