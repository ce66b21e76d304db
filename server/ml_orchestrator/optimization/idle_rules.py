"""Why a rule that somebody named has nothing to do in a prompt."""

from collections.abc import Iterable, Sequence

from ml_orchestrator.optimization.reading import Reading, read_prompt
from ml_orchestrator.optimization.rule_order import in_order
from ml_orchestrator.optimization.rules import Rule, finding_of

__all__ = ["idle_in_all", "why_idle"]


def why_idle(rule: Rule, given: Reading) -> str:
    """Return in a sentence why a rule did nothing; ``given`` is the prompt before all rules."""
    if finding_of(rule, given) is not None:
        return "It fits the given prompt, and no longer what other rules made of it."
    if isinstance(rule, Rule) and rule.keeps_question(given):  # other packages may have their own
        return "It would only ask, and its question is more likely wrong than right here."
    if not given.is_english:
        return "The prompt does not read as English, and it found nothing to ask."
    return f"It found no reason to {rule.about[:1].lower()}{rule.about[1:].removesuffix('.')}."


def idle_in_all(rules: Iterable[str], prompts: Sequence[str]) -> dict[str, str]:
    """Return the rules that change none of the prompts as they stand, and what is said of each.

    Raises:
        NotFoundError: a name is no rule.
    """
    if not prompts:
        return {}
    idle = {}
    for rule in in_order(rules):
        findings = [finding_of(rule, read_prompt(text, is_wished=True)) for text in prompts]
        if any(each.edits for each in findings if each is not None):
            continue
        n_asked = len(findings) - findings.count(None)
        asks = f"; about {n_asked} it would ask" if n_asked else ""
        idle[rule.name] = f"As they stand it changes none of the {len(prompts)} prompts{asks}."
    return idle
