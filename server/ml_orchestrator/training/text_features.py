"""Numbers out of free text, as a step of a saved pipeline."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

__all__ = ["TextTopics", "topics_for"]

N_WORDS = 3_000
N_TOPICS, ROWS_PER_TOPIC = 50, 5
# Weighted sums and distances take many weak directions; trees would only split on more noise.
N_TOPICS_SCALED, ROWS_PER_TOPIC_SCALED = 300, 2


class TextTopics(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns each text column into its length and its place in a space of topics.

    The topics are the main directions of the weighted counts of words (latent semantic analysis:
    S. Deerwester and others, 1990). Takes a frame of text, None or NaN where it is missing; gives
    floats of shape ``(n_rows, sum of 2 + n_topics)``. A word that was not in the rows it learnt
    from counts for nothing; a text without known words has all topics at 0.

    >>> frame = pd.DataFrame({"note": ["good food", "good room", "bad food", None]})
    >>> TextTopics().fit(frame).transform(frame)[:, :2].tolist()
    [[9.0, 2.0], [9.0, 2.0], [8.0, 2.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        *,
        n_topics: int = N_TOPICS,
        n_words: int = N_WORDS,
        rows_per_topic: int = ROWS_PER_TOPIC,
    ) -> None:
        self.n_topics = n_topics
        self.n_words = n_words
        self.rows_per_topic = rows_per_topic

    def fit(self, X: pd.DataFrame, y: object = None) -> "TextTopics":  # noqa: N803 scikit-learn's
        """Learn words and topics of each column."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.columns_ = [self._learn(_texts(X[name])) for name in self.feature_names_in_]
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return lengths and topics, column by column."""
        parts = zip(self.feature_names_in_, self.columns_, strict=True)
        return np.column_stack([_numbers(_texts(X[name]), learnt) for name, learnt in parts])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return ``<column>_<part>`` for every output column."""
        names = []
        for name, (_, topics) in zip(self.feature_names_in_, self.columns_, strict=True):
            n_topics = 0 if topics is None else len(topics.components_)
            names += [f"{name}_n_chars", f"{name}_n_words"]
            names += [f"{name}_topic_{number}" for number in range(n_topics)]
        return np.asarray(names, dtype=object)

    def _learn(self, texts: list[str]) -> tuple[Any, Any]:
        """Return the weights of words and the topics; None and None where words do not repeat."""
        words = TfidfVectorizer(
            min_df=2, max_df=0.9, max_features=self.n_words, sublinear_tf=True,
            strip_accents="unicode",
        )  # fmt: skip
        try:
            counts = words.fit_transform(texts)
        except ValueError:  # scikit-learn 1.9: no words are left
            return None, None
        n_topics = min(self.n_topics, counts.shape[1] - 1, len(texts) // self.rows_per_topic)
        if n_topics < 1:
            return None, None
        return words, TruncatedSVD(n_topics, random_state=0).fit(counts)


def topics_for(*, scaled: bool) -> TextTopics:
    """Return the step for a family whose columns are scaled, or for one that splits them."""
    if scaled:
        return TextTopics(n_topics=N_TOPICS_SCALED, rows_per_topic=ROWS_PER_TOPIC_SCALED)
    return TextTopics()


def _numbers(texts: list[str], learnt: tuple[Any, Any]) -> NDArray[np.float64]:
    lengths = np.array([[len(text), len(text.split())] for text in texts], dtype=np.float64)
    words, topics = learnt
    if words is None:
        return lengths
    return np.column_stack([lengths, topics.transform(words.transform(texts))])


def _texts(column: "pd.Series[Any]") -> list[str]:
    return [
        "" if is_missing else str(v) for v, is_missing in zip(column, column.isna(), strict=True)
    ]
