"""What a person sees on the page of a drift report."""

import numpy as np

from ml_orchestrator.health.page import drift_page
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.schema_changes import split_by_schema
from ml_orchestrator.health.together import check_together


def seen(page: str) -> str:
    """Return the part of a page that is shown, without the data for programs."""
    return page.split('<script type="application/json"', maxsplit=1)[0]


def test_columns_that_changed_only_together_are_shown() -> None:
    rng = np.random.default_rng(0)
    load, noise = rng.normal(size=(2, 400))
    before = {"load": load, "heat": load + 0.3 * noise}
    now = {"load": load, "heat": noise - load}
    report = check_drift(before, now)
    together = check_together(before, now, test="pca", alpha=0.05, columns=["load", "heat"])
    page = drift_page(report.model_copy(update={"together": together}), [], title="A test")

    assert together.is_drifted
    assert together.summary.replace("'", "&#x27;") in seen(page)
    assert "All columns together" not in seen(drift_page(report, [], title="A test"))


def test_columns_that_cannot_be_compared_are_shown() -> None:
    before = {"kept": np.arange(50.0), "lost<b>": np.arange(50.0)}
    names, changes = split_by_schema(before, {"kept": np.arange(50.0)}, before)
    report = check_drift(before, before, columns=names, schema_changes=changes)

    assert "<li>Column &#x27;lost&lt;b&gt;&#x27; is gone.</li>" in seen(
        drift_page(report, [], title="A test")
    )
