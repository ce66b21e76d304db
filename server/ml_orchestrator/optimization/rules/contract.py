"""What a rule finds in a prompt, what it does about it, and what it promises."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.optimization.foreign.gaps import foreign_gap
from ml_orchestrator.optimization.question_model import is_worth_asking
from ml_orchestrator.optimization.reading import Reading, read_prompt

__all__ = [
    "RULES",
    "Edit",
    "Find",
    "Finding",
    "Rule",
    "RuleKind",
    "apart",
    "apply_edits",
    "finding_of",
    "rule",
]

RuleKind = Literal["word", "add", "order", "mark"]


_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Put ``new`` in the place of ``text[start:end]``; with ``start == end`` it is put in."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a rule applies, where in the prompt, and how it would change it at first.

    Without edits the author is asked ``question``, and the prompt stays as it is.
    """

    reason: str
    start: int
    end: int
    edits: tuple[Edit, ...]
    question: str = ""


Find: TypeAlias = Callable[[Reading], Finding | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to better a prompt.

    Promises, checked for every registered rule: applied twice it changes nothing more; code,
    placeholders, quotes, addresses, tags, numbers and words that deny stay as they are; a prompt
    that is good already, or not in English, comes back unchanged.

    ``kind``: ``word`` rewords or takes out, ``add`` adds a section, ``order`` rearranges,
    ``mark`` marks off. Rules run by rising ``order``; of two in ``conflicts`` the first wins.
    """

    name: str
    kind: RuleKind
    order: int
    conflicts: frozenset[str]
    about: str
    find: Find

    def applies(self, prompt: Reading | str) -> Finding | None:
        """Return what the rule finds, or None if it has nothing to do here.

        In German, French and Spanish it can only ask. Elsewhere it asks what is likely right.

        Raises:
            UnavailableError: it is another package's and failed.
        """
        reading = read_prompt(prompt) if isinstance(prompt, str) else prompt
        if not reading.is_english:
            gap = foreign_gap(self.name, reading)
            if gap is None:
                return None
            return Finding(gap.reason, gap.start, gap.end, (), gap.question)
        finding = self._found(reading)
        return None if self._is_doubtful(finding, reading) else finding

    def keeps_question(self, reading: Reading) -> bool:
        """Whether it has a question that is likely wrong, so that ``applies`` finds nothing.

        Raises:
            UnavailableError: it is another package's and failed.
        """
        return reading.is_english and self._is_doubtful(self._found(reading), reading)

    def apply(self, prompt: Reading | str) -> str:
        """Return the prompt as this rule would have it; the same if the rule does not apply.

        What an edit brings to light is edited too, until the rule finds nothing more.

        Raises:
            UnavailableError: it is another package's and failed.
        """
        reading = read_prompt(prompt) if isinstance(prompt, str) else prompt
        for _ in range(_MOST_ROUNDS):
            finding = self.applies(reading)
            if finding is None or not finding.edits:
                break
            with RULES.calling(self.name):
                text = apply_edits(reading.text, finding.edits)
            reading = read_prompt(text, is_wished=reading.is_wished)
        return reading.text

    def _found(self, reading: Reading) -> Finding | None:
        with RULES.calling(self.name):
            return self.find(reading)

    def _is_doubtful(self, finding: Finding | None, reading: Reading) -> bool:
        is_question = finding is not None and not finding.edits
        return is_question and not is_worth_asking(reading, self.name)


RULES: Catalog[Rule] = Catalog(
    "prompt rule",
    extended_by="rules",
    must_have=("name", "kind", "order", "conflicts", "about", "applies", "apply"),
)


def rule(
    name: str, *, kind: RuleKind, order: int, conflicts: Iterable[str] = ()
) -> Callable[[Find], Rule]:
    """Return a decorator that makes a rule of a finding function and files it in ``RULES``.

    The first line of the function's docstring tells callers what the rule is about.
    """

    def build(find: Find) -> Rule:
        about = (find.__doc__ or "").split("\n")[0]
        return RULES.register(name)(Rule(name, kind, order, frozenset(conflicts), about, find))

    return build


def finding_of(rule: Rule, reading: Reading) -> Finding | None:
    """Return what a rule finds; one of another package that fails finds nothing."""
    try:
        return rule.applies(reading)
    except UnavailableError:
        return None


def apart(edits: Iterable[Edit]) -> list[Edit]:
    """Return edits in order, without one that begins where the one before it took a letter."""
    kept: list[Edit] = []
    for edit in sorted(edits):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with the edits done.

    Raises:
        ValueError: two edits overlap (a mistake in a rule).
    """
    pieces, at = [], 0
    for edit in sorted(edits):
        if edit.start < at:
            raise ValueError(f"Edits overlap at {edit.start}.")
        pieces += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join((*pieces, text[at:]))
