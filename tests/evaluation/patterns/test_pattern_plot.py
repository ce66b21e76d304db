"""The picture of patterns shows each with its status."""

import numpy as np
from tests.evaluation.patterns.planting import chances_to_outcome, coins

from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.plots import pattern_plot
from ml_orchestrator.evaluation.patterns.request import PatternSpec


def test_the_picture_grows_with_the_patterns_and_there_is_one_without_any() -> None:
    rng = np.random.default_rng(1)
    table = coins(rng, 3_000)
    table["$won\n"] = chances_to_outcome(rng, 0.3 + 0.2 * table["f0"] + 0.2 * table["f1"])
    report = discover_patterns(table, PatternSpec("$won\n"))
    assert report.n_selected >= 2

    some = pattern_plot(report)
    none = pattern_plot(report.model_copy(update={"patterns": (), "n_selected": 0}))

    for picture in (some, none):
        assert picture.startswith(b"\x89PNG\r\n")
    height = [int.from_bytes(picture[20:24], "big") for picture in (some, none)]
    assert height[0] > height[1]
