"""Free text as a drift test."""

from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.health.drift.texts import compare_texts

__all__ = ["text"]


@DRIFT_TESTS.register("text")
@drift_test(kinds=["categorical"], measure="p_value", threshold=0.05, is_symmetric=False)
def text(reference: Sample, current: Sample) -> Measurement:
    """Compare texts by length, words, characters, language and topics, and name what changed.

    Not symmetric: words that the reference lacks count, not those that it alone has.
    """
    return compare_texts(reference, current)
