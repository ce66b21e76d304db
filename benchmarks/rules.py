"""How well the rules find defects that were put into good prompts, and what they leave alone.

Operators take one virtue away from prompts that an expert would leave as they are: the role, the
output form, an example, the tags around data. A finding by the rule for this virtue is a hit, one
by another rule a false alarm. The patterns were tuned on `rule_prompts/tuning.txt`; no pattern was
written for the prompts in `held_out.txt`.

A file whose prompts carry labels, good or flawed by which rules, is measured twice: operators on
the good ones, and what the rules find in the flawed ones beside their labels.

    .venv/bin/python benchmarks/rules.py [--quick] [--json] [--set held_out] [--seeds N]
    .venv/bin/python benchmarks/rules.py --labelled FILE [--quick] [--json] [--in-full]
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from _figures import machine
from _labelled_prompts import flaws_found, read_labelled, show_flaws
from _prompt_defects import Defect, GoodPrompt, defects, read_prompts

from ml_orchestrator.optimization.improve import candidates, improve

sys.path.append(str(Path(__file__).parents[1]))
from tests.optimization.kept import missing

SETS = ("tuning", "development", "validation", "held_out", "held_out_3", "held_out_4")
LEAST_F1 = 0.9
LEAST_UNCHANGED = 0.95


def measure(name: str, prompts: Sequence[GoodPrompt], n_seeds: int) -> dict[str, Any]:
    """Return what the rules did on good prompts and on defects put into them."""
    cases = [
        each for seed in range(n_seeds) for prompt in prompts for each in defects(prompt, seed)
    ]
    began_at = time.perf_counter()
    found = [(case, frozenset(candidates(case.text))) for case in cases]
    seconds = time.perf_counter() - began_at
    return {
        "set": name,
        "n_prompts": len(prompts),
        "unchanged": _share(improve(prompt.text).text == prompt.text for prompt in prompts),
        "without_finding": _share(not candidates(prompt.text) for prompt in prompts),
        "changed": {p.name: list(candidates(p.text)) for p in prompts if candidates(p.text)},
        "n_defects": len(cases),
        **_scores(found),
        "by_operator": _by_operator(found),
        "idempotent": _share(_is_idempotent(case.text) for case in cases),
        "intent_kept": _share(_keeps_intent(case.text) for case in cases),
        "repaired": _share(_is_repaired(case) for case in cases),
        "ms_per_prompt": 1_000 * seconds / len(cases),
    }


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _scores(found: list[tuple[Defect, frozenset[str]]]) -> dict[str, float]:
    hits = sum(case.expected in rules for case, rules in found)
    alarms = sum(len(rules - {case.expected}) for case, rules in found)
    precision, recall = hits / max(1, hits + alarms), hits / len(found)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}


def _by_operator(found: list[tuple[Defect, frozenset[str]]]) -> dict[str, Any]:
    names = dict.fromkeys(case.operator for case, _ in found)
    result: dict[str, Any] = {}
    for name in names:
        mine = [(case, rules) for case, rules in found if case.operator == name]
        alarms = Counter(rule for case, rules in mine for rule in rules - {case.expected})
        missed = [case.prompt for case, rules in mine if case.expected not in rules]
        result[name] = {
            "n": len(mine),
            "recall": 1 - len(missed) / len(mine),
            "missed": sorted(set(missed)),
            "false_alarms": dict(alarms),
        }
    return result


def _is_idempotent(text: str) -> bool:
    once = improve(text).text
    return improve(once).text == once


def _keeps_intent(text: str) -> bool:
    """Whether all is there still, by a check that the rules do not use themselves."""
    return not any(missing(text, improve(text).text))


def _is_repaired(case: Defect) -> bool:
    """Whether the rule for the defect, unless it only asks, finds nothing more once applied."""
    finding = candidates(case.text).get(case.expected)
    if finding is not None and not finding.edits:
        return True
    return case.expected not in candidates(improve(case.text, [case.expected]).text)


def show(result: dict[str, Any], *, in_full: bool) -> None:
    """Print one set's figures."""
    print(
        f"{result['set']}: {result['n_prompts']} good prompts, {result['unchanged']:.1%} "
        f"unchanged, {result['without_finding']:.1%} without any finding; "
        f"{result['n_defects']} defects, precision {result['precision']:.3f}, recall "
        f"{result['recall']:.3f}, F1 {result['f1']:.3f}; idempotent {result['idempotent']:.1%}, "
        f"intent kept {result['intent_kept']:.1%}, repaired {result['repaired']:.1%}; "
        f"{result['ms_per_prompt']:.1f} ms a prompt"
    )
    for name, row in result["by_operator"].items():
        alarms = ", ".join(f"{rule} {n}" for rule, n in row["false_alarms"].items()) or "none"
        print(f"  {name:28} n {row['n']:4}  recall {row['recall']:.2f}  false alarms: {alarms}")
        if in_full and row["missed"]:
            print(f"      missed in {', '.join(row['missed'])}")
    if in_full:
        print(f"  found in good ones: {result['changed'] or 'none'}")


def holds(result: dict[str, Any]) -> bool:
    """Whether a set's figures keep the goals."""
    return bool(
        result["f1"] >= LEAST_F1
        and result["unchanged"] >= LEAST_UNCHANGED
        and result["idempotent"] == result["intent_kept"] == 1
    )


def main() -> None:
    """Measure, show, and exit with 1 if a goal is missed on the prompts of the tuning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--in-full", action="store_true", help="name what was missed")
    parser.add_argument("--set", choices=SETS, help="only this one")
    parser.add_argument("--labelled", type=Path, metavar="FILE", help="good and flawed prompts")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    n_seeds = 1 if given.quick else given.seeds
    if given.labelled:
        _labelled(given.labelled, n_seeds, in_full=given.in_full, as_json=given.json)
        return
    names = [given.set] if given.set else ["tuning", "validation", "held_out"]
    results = [measure(name, read_prompts(name), n_seeds) for name in names]
    if given.json:
        print(json.dumps({"machine": machine(), "results": results}, indent=1))
    else:
        print(machine())
        for result in results:
            show(result, in_full=given.in_full)
    for result in results:
        if not given.json:
            print(f"{result['set']}: goals {'kept' if holds(result) else 'MISSED'}")
    # Prompts that nobody tuned on say how far the rules carry; they do not stop a build.
    sys.exit(0 if all(holds(each) for each in results if each["set"] == "tuning") else 1)


def _labelled(path: Path, n_seeds: int, *, in_full: bool, as_json: bool) -> None:
    """Measure and show a file of labelled prompts."""
    prompts = read_labelled(path)
    good = [each.prompt for each in prompts if not each.flaws]
    result, flawed = measure(path.stem, good, n_seeds), flaws_found(prompts)
    if as_json:
        print(json.dumps({"machine": machine(), "good": result, "flawed": flawed}, indent=1))
        return
    print(machine())
    show(result, in_full=in_full)
    show_flaws(flawed, in_full=in_full)
    print(f"{path.stem}: goals on good prompts {'kept' if holds(result) else 'MISSED'}")


if __name__ == "__main__":
    main()
