"""Two samples of texts compared in every aspect."""

from collections.abc import Sequence

import numpy as np

from ml_orchestrator.health.drift.contract import Measurement, Sample
from ml_orchestrator.health.drift.texts import aspects
from ml_orchestrator.health.drift.texts.aspects import Embed, Found
from ml_orchestrator.health.drift.texts.reading import read_texts
from ml_orchestrator.health.text_models import TextDrift
from ml_orchestrator.numerics.divisions import MANY_DRAWS

__all__ = ["MOST_TEXTS", "compare_texts"]

MOST_TEXTS = 1_000  # of a side, drawn once


def compare_texts(
    reference: Sample,
    current: Sample,
    *,
    embed: Embed | None = None,
    seed: int = 0,
    n_most: int = MANY_DRAWS,
) -> Measurement:
    """Test whether two samples of texts come from one source, and say what is different.

    Length, use of words, single words, unseen words, kinds of characters, language, topics and,
    with ``embed``, meaning are tested, each by a test that keeps its level for independent texts
    whatever the source (permutations of whole texts, or exact tests). The p value is the smallest
    one times their number (Bonferroni). The statistic is the Jensen-Shannon distance of how often
    words are used. Of more than 1,000 texts a side, 1,000 are drawn.

    Args:
        reference: categories; each value is a text.
        current: likewise.
        embed: texts to vectors, shape ``(n_texts, n_dimensions)``.
        seed: of the texts that are drawn.
        n_most: permutations of each aspect at most, where more than 9,999.
    """
    before, after = (_drawn(side, seed) for side in (reference, current))
    texts = read_texts(before, after)
    found = [
        *aspects.mixes(texts, n_most=n_most),
        aspects.length(texts),
        aspects.unseen(texts, n_most=n_most),
        aspects.single_words(texts),
    ]
    if (topics := aspects.topics(texts, n_most=n_most)) is not None:
        found.append(topics)
    if embed is not None and min(len(before), len(after)) > 1:
        found.append(aspects.meaning(before, after, embed))
    p_value = min(1.0, len(found) * min(f.aspect.p_value for f in found))
    return Measurement(
        found[0].aspect.statistic, p_value, text=_text_drift(found, len(before), len(after))
    )


def _drawn(side: Sample, seed: int) -> list[str]:
    """Return texts in their own order, so that the order of rows does not matter."""
    texts = sorted(str(value) for value in side.values.tolist())
    if len(texts) <= MOST_TEXTS:
        return texts
    kept = np.random.default_rng(seed).choice(len(texts), MOST_TEXTS, replace=False)
    return [texts[i] for i in np.sort(kept)]


def _text_drift(found: Sequence[Found], n_reference: int, n_current: int) -> TextDrift:
    words = [word for each in found for word in each.words]
    ranked = sorted((each.aspect for each in found), key=lambda a: (a.p_value, a.aspect))
    came = tuple(word for word in words if word.current_share > word.reference_share)
    went = tuple(word for word in words if word.current_share < word.reference_share)
    return TextDrift(
        aspects=tuple(ranked),
        came=came[: aspects.MOST_NAMED],
        went=went[: aspects.MOST_NAMED],
        topics=tuple(topic for each in found for topic in each.topics),
        n_reference=n_reference,
        n_current=n_current,
    )
