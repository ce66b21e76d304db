"""Ways in which texts differ, each with a test of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from ml_orchestrator.doors import import_alone
from ml_orchestrator.health.drift.texts.reading import Counted, Texts
from ml_orchestrator.health.text_models import Aspect, TextAspect, TopicChange, WordChange
from ml_orchestrator.numerics.divisions import (
    MANY_DRAWS,
    DividedTest,
    Weights,
    division_test,
    share_divergence,
    unseen_share,
)
from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov
from ml_orchestrator.numerics.mmd import discrepancy_in_steps
from ml_orchestrator.numerics.multiple_testing import holm

__all__ = ["Embed", "Found", "length", "meaning", "mixes", "single_words", "topics", "unseen"]

MOST_WORDS = 2_000  # that are tested one by one
MOST_CELLS = 500  # of words in how often each is used; rarer ones are one cell
MOST_NAMED = 10
MOST_TOPICS_NAMED = 5
WORD_ALPHA = 0.05
Embed: TypeAlias = Callable[[Sequence[str]], NDArray[Any]]
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """An aspect, and what it names."""

    aspect: TextAspect
    words: tuple[WordChange, ...] = ()
    topics: tuple[TopicChange, ...] = ()


def length(texts: Texts) -> Found:
    """Compare how many words texts have, by Kolmogorov-Smirnov."""
    before, after = texts.n_words[: texts.n_reference], texts.n_words[texts.n_reference :]
    result = kolmogorov_smirnov(before, after)
    return Found(
        TextAspect(
            aspect="length",
            statistic=result.statistic,
            p_value=result.p_value,
            summary=f"words a text: median {np.median(before):.4g} to {np.median(after):.4g}",
        )
    )


def mixes(texts: Texts, *, n_most: int = MANY_DRAWS) -> Iterator[Found]:
    """Compare how often words, kinds of characters and languages occur."""
    common, rest = _common_words(texts.words)
    yield _mix("words", texts.n_reference, common, rest, n_most=n_most)
    for aspect, table in (("characters", texts.characters), ("language", texts.languages)):
        name: Aspect = aspect  # type: ignore[assignment]
        yield _mix(name, texts.n_reference, table.counts, table.names, n_most=n_most)


def unseen(texts: Texts, *, n_most: int = MANY_DRAWS) -> Found:
    """Compare the share of words that the reference lacks with that of a random division."""
    counts = texts.words.counts
    result = division_test(
        unseen_share(counts),
        texts.n_reference,
        counts.shape[0],
        rng=np.random.default_rng(0),
        n_cells=counts.shape[1],
        n_most=n_most,
    )
    return Found(
        TextAspect(
            aspect="unseen_words",
            statistic=result.statistic,
            expected=result.expected,
            p_value=result.p_value,
            summary=f"{result.statistic:.1%} of the words are not in the reference; "
            f"{result.expected:.1%} by chance",
        )
    )


def single_words(texts: Texts) -> Found:
    """Compare in how many texts each of the 2,000 most widespread words stands.

    Fisher's exact test of texts with and without the word, twice the smaller tail; the p value is
    that of the clearest word after Holm's correction for all of them. Which words are tested does
    not depend on which text is of which sample.
    """
    has = texts.words.counts.astype(bool).astype(np.float64)
    n, n_before = has.shape[0], texts.n_reference
    before = np.asarray(has[:n_before].sum(axis=0)).ravel()
    both = np.asarray(has.sum(axis=0)).ravel()
    tested = np.argsort(-both, kind="stable")[:MOST_WORDS]
    if not tested.size:
        return Found(_no_words())
    at = hypergeom(n, both[tested], n_before)
    tails = np.minimum(at.cdf(before[tested]), at.sf(before[tested] - 1))
    p_values = holm(np.minimum(1.0, 2 * tails))
    shares = before[tested] / n_before, (both - before)[tested] / (n - n_before)
    change = shares[1] - shares[0]
    order = np.argsort(-np.abs(change), kind="stable")
    named = tuple(
        WordChange(
            word=texts.words.names[tested[i]],
            reference_share=float(shares[0][i]),
            current_share=float(shares[1][i]),
        )
        for i in order
        if p_values[i] <= WORD_ALPHA
    )
    said = ", ".join(
        f"{w.word!r} in {w.reference_share:.0%} to {w.current_share:.0%} of the texts"
        for w in named[:3]
    )
    aspect = TextAspect(
        aspect="single_words",
        statistic=float(np.abs(change).max()),
        p_value=float(p_values.min()),
        summary=said or f"none of {tested.size:,} words is more or less common beyond chance",
    )
    return Found(aspect, words=named)


def topics(texts: Texts, *, n_most: int = MANY_DRAWS) -> Found | None:
    """Compare the weights of topics; None where texts or words are too few for any."""
    module = import_alone("ml_orchestrator.health.drift.texts._topics")
    found = module.find_topics(texts.words)
    if found is None:
        return None
    names = [", ".join(words) for words in found.words]
    mixed = _mix("topics", texts.n_reference, found.weights, names, n_most=n_most)
    before = found.weights[: texts.n_reference].mean(axis=0)
    after = found.weights[texts.n_reference :].mean(axis=0)
    changed = np.argsort(-np.abs(after - before), kind="stable")[:MOST_TOPICS_NAMED]
    return Found(
        mixed.aspect,
        topics=tuple(
            TopicChange(
                words=found.words[i],
                reference_share=min(1.0, float(before[i])),
                current_share=min(1.0, float(after[i])),
            )
            for i in changed
        ),
    )


def meaning(reference: Sequence[str], current: Sequence[str], embed: Embed) -> Found:
    """Compare embeddings by the kernel two-sample test with its permutations."""
    before, after = (np.asarray(embed(side), np.float64) for side in (reference, current))
    result = discrepancy_in_steps(before, after)
    return Found(
        TextAspect(
            aspect="meaning",
            statistic=max(0.0, result.statistic) ** 0.5,
            p_value=result.p_value,
            summary="what the texts mean, by their embeddings",
        )
    )


def _no_words() -> TextAspect:
    return TextAspect(aspect="single_words", statistic=0.0, p_value=1.0, summary="no words")


def _common_words(words: Counted) -> tuple[Weights, Sequence[str]]:
    """Return the most frequent words as cells, and one for all others."""
    totals = np.asarray(words.counts.sum(axis=0)).ravel()
    if totals.size <= MOST_CELLS:
        return words.counts, words.names
    kept = np.sort(np.argsort(-totals, kind="stable")[:MOST_CELLS])
    cells = words.counts[:, kept].toarray()
    others = np.asarray(words.counts.sum(axis=1)).ravel() - cells.sum(axis=1)
    return np.column_stack([cells, others]), [*(words.names[i] for i in kept), "all other words"]


def _mix(
    aspect: Aspect, n_reference: int, weights: Weights, names: Sequence[str], *, n_most: int
) -> Found:
    n_rows, n_cells = weights.shape
    result = division_test(
        share_divergence(weights),
        n_reference,
        n_rows,
        rng=np.random.default_rng(0),
        n_cells=n_cells,
        n_most=n_most,
    )
    return Found(
        TextAspect(
            aspect=aspect,
            statistic=result.statistic**0.5,
            expected=result.expected**0.5,
            p_value=result.p_value,
            summary=_largest_changes(n_reference, weights, names, result),
        )
    )


def _largest_changes(
    n_reference: int, weights: Weights, names: Sequence[str], result: DividedTest
) -> str:
    before = np.asarray(weights[:n_reference].sum(axis=0)).ravel()
    after = np.asarray(weights[n_reference:].sum(axis=0)).ravel()
    before, after = before / max(before.sum(), 1e-300), after / max(after.sum(), 1e-300)
    largest = np.argsort(-np.abs(after - before), kind="stable")[:3]
    said = [f"{names[i]!r} {before[i]:.1%} to {after[i]:.1%}" for i in largest]
    distance = f"distance {result.statistic**0.5:.3f}, by chance {result.expected**0.5:.3f}"
    return f"{', '.join(said) or 'nothing'} ({distance})"
