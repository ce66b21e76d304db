"""How far estimates of performance without labels are from what labels showed later.

Ours beside NannyML's (CBPE for classes, DLE for numbers), each with its defaults, on the data that
come with NannyML, in their order of time and in the same chunks: employment in the census of
Massachusetts by year (real), houses in California (real, made into a stream by NannyML), car loans
and car prices (synthetic). The figure is the mean absolute distance of estimate and realised score
over chunks. Labels are given for the measuring alone.

    .venv/bin/python benchmarks/estimates.py [--quick] [--json]
"""

import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from _figures import Figure, arguments, show
from _peers import peer_python

from ml_orchestrator.datasets.sources import columns_as_arrays
from ml_orchestrator.health.performance.check import check_performance
from ml_orchestrator.health.performance.models import PerformanceReport
from ml_orchestrator.health.performance.predictions import read_predictions

PROGRAM = Path(__file__).parent / "estimate_peers" / "nannyml_program.py"
REQUIREMENTS = ("nannyml==0.13.1", "statsmodels<0.15")
ROWS_A_CHUNK = {"census": 5_000, "housing": 500, "car loan": 5_000, "car price": 6_000}
QUICK = ("housing", "car price")


def main() -> None:
    """Print the distance for each data set and metric."""
    options = arguments(__doc__)
    python = peer_python("nannyml", *REQUIREMENTS)
    for name in QUICK if options.quick else ROWS_A_CHUNK:
        if python:  # the data are NannyML's
            show(_figures(name, python), as_json=options.json)


def _figures(name: str, python: Path) -> list[Figure]:
    n_rows = ROWS_A_CHUNK[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-W", "ignore", str(PROGRAM), name, str(n_rows), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
        report = _ours(Path(folder), n_rows)
    figures = []
    for metric, estimates in theirs.items():
        scores = [chunk.scores[metric] for chunk in report.chunks]
        ours = [s.estimated.value for s in scores if s.estimated]
        realised = [s.realised.value for s in scores if s.realised]
        gaps = [_distance(values, realised) for values in (ours, estimates)]
        scale, unit = (1_000, "thousandths") if metric in ("roc_auc", "accuracy") else (1, "")
        mine, theirs_gap = (scale * gap for gap in gaps)
        title = f"{name}, {metric}, distance"
        figures.append(Figure(title, unit, mine, theirs_gap, "nannyml", None, len(realised)))
    return figures


def _distance(estimates: list[float], realised: list[float]) -> float:
    return float(np.mean(np.abs(np.subtract(estimates, realised))))


def _ours(folder: Path, n_rows: int) -> PerformanceReport:
    tables = {
        side: columns_as_arrays(pl.read_csv(folder / f"{side}.csv", infer_schema_length=None))
        for side in ("reference", "current")
    }
    has_chances = "chance" in tables["reference"]
    chances = {"1": "chance"} if has_chances else None
    read = partial(read_predictions, target="truth", prediction="said", probabilities=chances)
    before = read(tables["reference"], side="reference")
    now = read(tables["current"], side="current", classes=before.classes)
    return check_performance(before, now, chunk=f"{n_rows}rows")


if __name__ == "__main__":
    main()
