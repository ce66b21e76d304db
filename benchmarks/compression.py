"""What each way to compress a model costs and gains, on real tables.

For each table a search of a few trials, its ensemble included, gives the model; then every way
of the workflow ``compress`` is tried on it: size of the file, time for one row and for a batch
(medians, both models in turns in one process), and quality on the held-out rows, before and after.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from _figures import arguments, machine
from _real_tables import Problem, real_problems
from threadpoolctl import threadpool_limits

from ml_orchestrator.compression.models import METHODS, CompressionReport, MethodReport
from ml_orchestrator.orchestration.compressing.case import Case, Origin
from ml_orchestrator.orchestration.compressing.judging import compress
from ml_orchestrator.training.holdout import predict
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.search import train

TABLES = ("digits", "breast_cancer", "star98")
TOLERANCE = 0.05


def main() -> None:
    """Train, compress and print."""
    options = arguments(str(__doc__))
    problems = [problem for problem in real_problems() if problem.name in TABLES]
    for problem in sorted(problems, key=lambda p: TABLES.index(p.name)):
        with threadpool_limits(1):
            case, seconds = _case(problem, n_trials=6 if options.quick else 12)
            began_at = time.perf_counter()
            found = compress(
                case, METHODS, tolerance=TOLERANCE, prefer="size", seed=0, tell=lambda *_: None
            )
        took_s = time.perf_counter() - began_at
        _show(problem, case, found.report, options, train_s=seconds, compress_s=took_s)
    if not options.json:
        print(f"medians; tolerance {TOLERANCE:.0%} of the gain over the baseline; {machine()}")


def _case(problem: Problem, *, n_trials: int) -> tuple[Case, float]:
    """Return a trained model with its data, and how long that took."""
    spec = problem.spec(
        target=problem.dataset.default_target,
        trainers=("forest", "extra_trees", "histogram_boosting", "neural_net"),
        n_trials=n_trials,
        n_folds=3,
        timeout_s=900,
    )
    began_at = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(spec, problem.dataset, study_dir=Path(folder), report=lambda *_: None)
    seconds = time.perf_counter() - began_at
    job = prepare(spec, problem.dataset)
    rows = job.split.test
    given = predict(trained.pipeline, job.table.features.iloc[rows], job.table, rows)
    origin = Origin(1, spec, trained.summary, is_compressed=False)
    return Case(problem.name, origin, trained.pipeline, job, "", given), seconds


def _show(
    problem: Problem,
    case: Case,
    report: CompressionReport,
    options: argparse.Namespace,
    *,
    train_s: float,
    compress_s: float,
) -> None:
    if options.json:
        print(json.dumps({"table": problem.name, **report.model_dump(), "machine": machine()}))
        return
    members = ", ".join(f"{m.trainer} {m.weight:.2f}" for m in case.origin.summary.members)
    print(
        f"{problem.name}: {len(case.job.table.codes):,} rows, {report.metric}, baseline "
        f"{report.baseline:.4f}; {members}; trained in {train_s:.0f} s, compressed in "
        f"{compress_s:.0f} s; winner {report.winner}"
    )
    for method in report.methods:
        print(f"  {method.method:<9} {method.verdict:<12} {_figures(method)}")


def _figures(method: MethodReport) -> str:
    size, took, found = method.size, method.latency, method.quality
    if size is None or took is None or found is None:
        return method.summary[:120]
    equal = "" if method.equality is None else f", apart {method.equality.largest_difference:.1e}"
    return (
        f"{size.before:>9,} to {size.after:>9,} bytes, 1 row {took.single_before:6.2f} to "
        f"{took.single_after:6.2f} ms, {took.n_batch_rows} rows {took.batch_before:6.2f} to "
        f"{took.batch_after:6.2f} ms, {found.before:.4f} to {found.after:.4f} "
        f"({found.low:+.4f} to {found.high:+.4f}, may lose {found.margin:.4f}){equal}: "
        f"{method.made}"
    )


if __name__ == "__main__":
    main()
