"""Good prompts in labelled pieces, and operators that take one virtue away from one of them.

A file of prompts holds blocks that begin with ``=== name``; in each, lines ``@label`` begin a
piece. The label names what the piece is for, so an operator knows what it takes away.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["OPERATORS", "Defect", "GoodPrompt", "defects", "read_pieces", "read_prompts"]

FOLDER = Path(__file__).parent / "rule_prompts"
_TAGS = re.compile(r"</?[a-z_]+>\n?")
_SAYS_DATA = re.compile(r"data|instruction", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GoodPrompt:
    """A prompt as an expert would write it: pieces of ``(label, text)``."""

    name: str
    pieces: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "\n\n".join(text for _, text in self.pieces)

    def labels(self) -> frozenset[str]:
        """Return the labels of its pieces."""
        return frozenset(label for label, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class Defect:
    """A prompt with one virtue taken away, and the rule that should find it."""

    prompt: str
    operator: str
    text: str
    expected: str


Operator = Callable[[GoodPrompt, random.Random], str | None]


def read_prompts(name: str) -> list[GoodPrompt]:
    """Return the prompts of a file in ``rule_prompts``, ``tuning`` or ``held_out``."""
    blocks = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return [_prompt(block) for block in blocks]


def _prompt(block: str) -> GoodPrompt:
    name, rest = block.split("\n", 1)
    return GoodPrompt(name.strip(), read_pieces(rest))


def read_pieces(block: str) -> tuple[tuple[str, str], ...]:
    """Return the pieces ``(label, text)`` of a block without its title."""
    pieces = re.split(r"^@(\w+)\n", block, flags=re.MULTILINE)[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return tuple((label, text.strip()) for label, text in pairs)


def defects(prompt: GoodPrompt, seed: int) -> Iterator[Defect]:
    """Yield every defect that can be put into a prompt and leaves some of it, one at a time."""
    for name, (expected, operator) in OPERATORS.items():
        text = operator(prompt, random.Random(f"{seed}/{prompt.name}/{name}"))
        if text and text != prompt.text:
            yield Defect(prompt.name, name, text, expected)


def _joined(pieces: Sequence[tuple[str, str]], gap: str = "\n\n") -> str:
    return gap.join(text for _, text in pieces)


def _without(label: str) -> Operator:
    def remove(prompt: GoodPrompt, _: random.Random) -> str | None:
        left = [piece for piece in prompt.pieces if piece[0] != label]
        return _joined(left) if len(left) < len(prompt.pieces) else None

    return remove


def _changed(prompt: GoodPrompt, at: int, text: str) -> str:
    pieces = list(prompt.pieces)
    pieces[at] = (pieces[at][0], text)
    return _joined(pieces)


def _places(prompt: GoodPrompt, *labels: str) -> list[int]:
    return [at for at, (label, _) in enumerate(prompt.pieces) if label in labels]


def _vague(prompt: GoodPrompt, rng: random.Random) -> str | None:
    """Let a sentence trail off, or hedge the task."""
    at = rng.choice(_places(prompt, "task", "constraints", "context", "specifics"))
    text = prompt.pieces[at][1]
    if rng.random() < 0.5 and text[:1].isupper() and prompt.pieces[at][0] == "task":
        return _changed(prompt, at, f"Try to {text[0].lower()}{text[1:]}")
    tail = rng.choice((", etc.", ", and so on.", " and stuff like that."))
    return (
        _changed(prompt, at, re.sub(r"\.?\Z", tail, text))
        if text[-1:].isalpha() or text.endswith(".")
        else None
    )


def _padded(prompt: GoodPrompt, rng: random.Random) -> str | None:
    """Say the task with more words."""
    (at, *_) = _places(prompt, "task")
    text = prompt.pieces[at][1]
    if not re.match(r"[A-Z][a-z]+ ", text):
        return None
    lead = rng.choice(
        ("Could you please ", "I would like you to ", "Please ", "I was wondering if you could ")
    )
    return _changed(prompt, at, f"{lead}{text[0].lower()}{text[1:]}")


def _unmarked(prompt: GoodPrompt, _: random.Random) -> str | None:
    """Take the tags away from around the data, and what speaks of them."""
    for at in _places(prompt, "data"):
        if "{" in (text := prompt.pieces[at][1]) and "<" in text:
            bare = re.sub(r"<[a-z_]+>\n(\{.*\})\n</[a-z_]+>", r"\1", text)
            return _changed(prompt, at, bare)
    return None


def _unsaid(prompt: GoodPrompt, _: random.Random) -> str | None:
    """Do not say that what strangers wrote is data."""
    for at in _places(prompt, "data"):
        parts = prompt.pieces[at][1].split("\n\n")
        left = [part for part in parts if part.startswith("<") or not _SAYS_DATA.search(part)]
        if len(left) < len(parts):
            return _changed(prompt, at, "\n\n".join(left))
    return None


def _chained(prompt: GoodPrompt, rng: random.Random) -> str | None:
    """Put several jobs into one sentence."""
    if "steps" in prompt.labels() or "output" not in prompt.labels():
        return None  # answers and conversations would become another task
    chain = rng.choice(
        (
            "Read it twice, then list its main points, then rank them and then write a title.",
            "Collect the facts, sort them, then remove duplicates, and then check the sums.",
        )
    )
    (at, *_) = _places(prompt, "task")
    return _changed(prompt, at, f"{prompt.pieces[at][1]} {chain}")


_FILLER = (
    "The work of the last year has changed much in how the people around it see the matter.",
    "Two earlier attempts were made in spring and were given up after a few days of trying.",
    "Those who were there say that the weather, the holidays and a strike all played a part.",
    "Nothing of this is secret, and most of it has been told in the local paper already.",
    "The person before kept good records of it all, in a green folder on the second shelf.",
    "It all began with a conversation on a train between two people who had never met.",
    "The older members remember how it was done by hand, with index cards and a stamp.",
)


def _buried(prompt: GoodPrompt, rng: random.Random) -> str | None:
    """Make one long paragraph of it, with what else came to mind."""
    if "data" in prompt.labels() or not {"role", "output", "constraints"} <= prompt.labels():
        return None
    lines = [re.sub(r"^#+ .*\n|^- ", "", text, flags=re.MULTILINE) for _, text in prompt.pieces]
    flat = " ".join(_TAGS.sub("", line).strip().replace("\n", " ") for line in lines)
    filler = rng.sample(_FILLER, 6)
    return f"{' '.join(filler[:3])} {flat} {' '.join(filler[3:])}"


def _far_task(prompt: GoodPrompt, rng: random.Random) -> str | None:
    """Put long data last, and the task before it alone."""
    *first, last = prompt.pieces
    if last[0] != "data" or not re.fullmatch(r"(?s).*\n\{+\w+\}+\n</\w+>", last[1]):
        return None
    long = " ".join(rng.choice(_FILLER) for _ in range(25))
    data = re.sub(r"\{+\w+\}+(?=\n</\w+>\Z)", lambda _: long, last[1])
    return _joined([*first, ("data", data)])


OPERATORS: Mapping[str, tuple[str, Operator]] = MappingProxyType(
    {
        "no task": ("task", _without("task")),
        "no role": ("role", _without("role")),
        "no specifics": ("specificity", _without("specifics")),
        "no output form": ("output_contract", _without("output")),
        "no constraints": ("constraints", _without("constraints")),
        "no success criteria": ("success_criteria", _without("success")),
        "no examples": ("examples", _without("examples")),
        "no steps": ("step_by_step", _without("steps")),
        "no word on missing answers": ("uncertainty", _without("uncertainty")),
        "vague words": ("clarity", _vague),
        "padding": ("brevity", _padded),
        "unmarked data": ("data_safety", _unmarked),
        "strangers' data": ("data_safety", _unsaid),
        "chained jobs": ("decomposition", _chained),
        "one long paragraph": ("structure", _buried),
        "task before long data": ("context_placement", _far_task),
    }
)
