"""A prompt rule: who reports on a text says which sentence of it each statement rests on."""

import re

from ml_orchestrator.optimization.own_words import own_prose
from ml_orchestrator.optimization.reading import Reading
from ml_orchestrator.optimization.rules.contract import Edit, Finding, rule

__all__ = ["show_evidence"]

WISH = "Quote the sentence that each statement rests on."
_REPORTS = re.compile(
    r"\b(?:summari[sz]e|extract|list the (?:claims|findings|facts))\b", re.IGNORECASE
)
_HAS_IT = re.compile(r"\b(?:quote|cite|citations?|evidence|sources?)\b", re.IGNORECASE)


@rule("show_evidence", kind="add", order=95)
def show_evidence(reading: Reading) -> Finding | None:
    """Ask a report on a text to quote what each of its statements rests on."""
    prose = own_prose(reading)  # the author's own words: no quotes, code or placeholders
    report = _REPORTS.search(prose)
    if report is None or _HAS_IT.search(prose):
        return None
    end = len(reading.text.rstrip())
    edit = Edit(end, len(reading.text), f"\n\n{WISH}\n")
    return Finding("What it says of the text cannot be checked.", *report.span(), (edit,))
