"""What drift of a column of text consists of, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["Aspect", "TextAspect", "TextDrift", "TopicChange", "WordChange"]

Share = Annotated[float, Field(ge=0, le=1)]
Aspect = Literal[
    "length", "words", "single_words", "unseen_words", "characters", "language", "topics", "meaning"
]


class TextAspect(Record):
    """One way in which texts may differ."""

    aspect: Annotated[
        Aspect,
        Field(
            description="length: words a text; words: how often each is used; single_words: in how "
            "many texts each stands; unseen_words: used now and not in the reference; characters: "
            "scripts, digits, marks; language: guessed; topics: weights of topics of both samples; "
            "meaning: embeddings, where a model is set."
        ),
    ]
    statistic: Annotated[
        float,
        Field(
            description="length: largest gap of the distribution functions; single_words: largest "
            "difference of shares of texts; unseen_words: share of the words; meaning: root of "
            "the squared discrepancy; the others: Jensen-Shannon distance, 0 to 0.83."
        ),
    ]
    expected: Annotated[
        float | None,
        Field(description="Its mean where both samples are of one source; null if not known."),
    ] = None
    p_value: Annotated[Share, Field(description="P value, not adjusted for other aspects.")]
    summary: Annotated[str, Field(description="What changed, in words.")]


class WordChange(Record):
    """How common one word was and is."""

    word: Annotated[str, Field(description="The word, in small letters.")]
    reference_share: Annotated[Share, Field(description="Share of the reference's texts with it.")]
    current_share: Annotated[Share, Field(description="Share of the current texts with it.")]


class TopicChange(Record):
    """How much of the texts is about one topic."""

    words: Annotated[tuple[str, ...], Field(description="Its heaviest words.")]
    reference_share: Annotated[Share, Field(description="Its mean weight in the reference.")]
    current_share: Annotated[Share, Field(description="Its mean weight in the current texts.")]


class TextDrift(Record):
    """What changed in a column of text."""

    aspects: Annotated[
        tuple[TextAspect, ...], Field(description="Each tested by itself, smallest p value first.")
    ]
    came: Annotated[
        tuple[WordChange, ...],
        Field(description="Words that became more common beyond chance, largest change first."),
    ]
    went: Annotated[
        tuple[WordChange, ...],
        Field(description="Words that became rarer beyond chance, largest change first."),
    ]
    topics: Annotated[
        tuple[TopicChange, ...], Field(description="Topics whose weight changed most, at most 5.")
    ] = ()
    n_reference: Annotated[int, Field(ge=1, description="Texts looked at, of the reference.")]
    n_current: Annotated[int, Field(ge=1, description="Texts looked at, of the current sample.")]
