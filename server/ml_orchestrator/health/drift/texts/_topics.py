"""Topics of texts, by scikit-learn; loaded on first use."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer

from ml_orchestrator.health.drift.texts.reading import Counted

__all__ = ["Topics", "find_topics"]

MOST_TOPICS = 10
TEXTS_A_TOPIC = 20
LEAST_TEXTS_WITH_WORD = 3
LARGEST_SHARE = 0.4  # of the texts, above which a word tells no topic
MOST_WORDS = 1_000
N_NAMED = 4
N_STEPS = 60


@dataclass(frozen=True, slots=True)
class Topics:
    """Weights of topics in each text, shape ``(n_texts, n_topics)``, and words that name them.

    The weights of a text add up to 1, or are all 0 where it has none of the words.
    """

    weights: NDArray[np.float64]
    words: tuple[tuple[str, ...], ...]


def find_topics(words: Counted) -> Topics | None:
    """Return the topics of all texts together; None where there are too few texts or words.

    Words weigh by TF-IDF, and those in two fifths of the texts or more are left out; a
    non-negative factorisation finds topics in them. It does not know which text is of which
    sample, so that permuting the samples is a valid test of the weights, and a topic that only
    one sample has is found.

    References:
        D. D. Lee, H. S. Seung, "Learning the parts of objects by non-negative matrix
        factorization", Nature 401 (1999).
    """
    n_texts = words.counts.shape[0]
    n_with = np.bincount(words.counts.indices, minlength=len(words.names))
    telling = (n_with >= LEAST_TEXTS_WITH_WORD) & (n_with < LARGEST_SHARE * n_texts)
    kept = np.argsort(np.where(telling, -n_with, 0), kind="stable")[:MOST_WORDS]
    kept = np.sort(kept[telling[kept]])
    n_topics = min(MOST_TOPICS, n_texts // TEXTS_A_TOPIC, kept.size // N_NAMED)
    if n_topics < 2:
        return None
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(words.counts[:, kept])
    weights, parts = _factored(csr_array(weighted), n_topics)
    heaviest = np.argsort(-parts, axis=1, kind="stable")[:, :N_NAMED]
    named = tuple(tuple(words.names[kept[i]] for i in row) for row in heaviest)
    totals = weights.sum(axis=1, keepdims=True)
    return Topics(np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0), named)


def _factored(table: csr_array, n_topics: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    model = NMF(n_topics, init="nndsvd", random_state=0, max_iter=N_STEPS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: the test holds anyway
        weights = model.fit_transform(table)
    return weights.astype(np.float64), model.components_.astype(np.float64)
