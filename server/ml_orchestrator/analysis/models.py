"""What an analysis of a prompt says, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["Domain", "Entity", "EntityKind", "Fit", "PromptAnalysis", "PromptLanguage"]

EntityKind = Literal[
    "technology", "file", "function", "person", "quantity", "date", "url", "code", "placeholder"
]


class Entity(Record):
    """Something the prompt names; ``prompt[start:end]`` is what it looks like."""

    kind: EntityKind
    text: Annotated[str, Field(description="At most 80 characters of it.")]
    start: int
    end: int


class Domain(Record):
    """What the prompt is about."""

    name: str
    probability: Annotated[float, Field(ge=0, le=1)]
    others: Annotated[
        dict[str, float], Field(description="Further domains of at least 0.05, by probability.")
    ]


class PromptLanguage(Record):
    """A guess at the prompt's language."""

    code: Annotated[str, Field(description="ISO 639-1, or und where nothing tells.")]
    share: Annotated[float, Field(description="Part of the letters or small words behind it.")]
    is_mixed: Annotated[bool, Field(description="A second script has at least a fifth.")]


class Fit(Record):
    """How well a kind of rule fits this prompt."""

    rule: str
    fit: Annotated[float, Field(ge=0, le=1)]
    reason: str


class PromptAnalysis(Record):
    """A prompt as read by rules and counts, without a language model."""

    level: Literal["L0"] = "L0"
    n_characters: Annotated[int, Field(description="Of the whole prompt.")]
    n_analysed: Annotated[int, Field(description="Characters that were read.")]
    language: PromptLanguage
    domain: Domain
    entities: list[Entity]
    n_entities: Annotated[int, Field(description="Found; entities has the first 100.")]
    features: Annotated[dict[str, float], Field(description="In the order of FEATURE_NAMES.")]
    strategy: Annotated[list[Fit], Field(description="Kinds of rule that fit, best first.")]
    context: Annotated[
        tuple[float, ...], Field(description="In the order of CONTEXT_NAMES, each 0 to 1.")
    ]
    notices: Annotated[list[str], Field(description="What to know before trusting this.")]
