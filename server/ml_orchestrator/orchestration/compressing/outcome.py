"""A compressed model as one that was trained: its summary, its card and its files."""

import json
from importlib.metadata import version

from ml_orchestrator.compression.models import CompressionReport, MethodReport
from ml_orchestrator.extras import DISTRIBUTION
from ml_orchestrator.orchestration.compressing.case import Case
from ml_orchestrator.orchestration.compressing.judging import Compressed
from ml_orchestrator.orchestration.compressing.methods import Made
from ml_orchestrator.training.card import model_card
from ml_orchestrator.training.intervals import holdout_intervals
from ml_orchestrator.training.judging import judge
from ml_orchestrator.training.metrics import standard_metrics
from ml_orchestrator.training.models import SPEC_FILE, Member, TrainingSummary
from ml_orchestrator.training.requirements import pip_requirements
from ml_orchestrator.training.search import TrainedModel, input_example

__all__ = ["REPORT_FILE", "as_trained", "files_of"]

REPORT_FILE = "compression.json"
IMPORTANCES_S = 30.0
GRAPH_NEEDS = ("onnx", "onnxruntime", "numpy", "pandas", DISTRIBUTION)


def as_trained(case: Case, found: Compressed, made: Made) -> TrainedModel:
    """Return what is registered of a compressed model.

    Its summary is that of the version it came from with what is its own: held-out scores,
    importances, slices and members. Cross-validated is its score on the rows it was chosen by, an
    exported student's that of the student, and an exported version's that of the version.
    """
    summary = _summary(case, found.report, made)
    card = model_card(case.origin.spec, summary, about=case.about)
    return TrainedModel(
        pipeline=made.model,
        summary=summary,
        input_example=input_example(made.model, case.job.table),
        plots={},
        pip_requirements=_requirements(made),
        card=f"{card}\n{compression_section(found.report)}",
    )


def files_of(case: Case, report: CompressionReport) -> dict[str, bytes]:
    """Return the files that the run keeps beside those of a training, by name."""
    origin = {
        "spec": case.origin.spec.model_dump(mode="json"),
        "is_compressed": True,
        "made_from": f"{case.name}/{case.origin.version}",
    }
    return {
        REPORT_FILE: report.model_dump_json(indent=2).encode(),
        SPEC_FILE: json.dumps(origin).encode(),
    }


def compression_section(report: CompressionReport) -> str:
    """Return the part of a model card that compares with the version it was made from."""
    lines = [
        "## Compression",
        "",
        f"Made from version {report.version} of `{report.model}` by {report.winner}. "
        f"{report.tolerance:.1%} of the gain over the baseline were allowed to go.",
        "",
        "| Way | Verdict | Bytes, before and after | One row, ms | Batch, ms | "
        f"{report.metric}, before and after | Change, interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *map(_row, report.methods),
    ]
    return "\n".join(lines) + "\n"


def _row(method: MethodReport) -> str:
    size, took, found = method.size, method.latency, method.quality
    if size is None or took is None or found is None:
        return f"| {method.method} | {method.verdict} | | | | | |"
    cells = (
        f"{method.method}: {method.made}",
        method.verdict,
        f"{size.before:,} to {size.after:,}",
        f"{took.single_before:.2f} to {took.single_after:.2f}",
        f"{took.batch_before:.2f} to {took.batch_after:.2f}",
        f"{found.before:.4g} to {found.after:.4g}",
        f"{found.change:+.3g} ({100 * found.level:.3g} %: {found.low:+.3g} to {found.high:+.3g})",
    )
    return "| " + " | ".join(cells) + " |"


def _summary(case: Case, report: CompressionReport, made: Made) -> TrainingSummary:
    job, before = case.job, case.origin.summary
    table, split, seed = job.table, job.split, case.origin.spec.seed
    judged = judge(made.model, table, split, seed=seed, importances_s=IMPORTANCES_S)
    groups = None if table.groups is None else table.groups[split.test]
    score = before.cv_score if made.score is None else made.score
    own = Member(trainer=made.trainer, params=made.params, weight=1.0, cv_score=score)
    is_other = made.trainer != before.trainer or made.params != before.params
    return before.model_copy(
        update={
            "trainer": made.trainer,
            "params": made.params,
            "cv_score": score,
            "cv_fold_scores": before.cv_fold_scores if made.score is None else (made.score,),
            "holdout": holdout_intervals(
                standard_metrics(table.metric),
                judged.predictions,
                groups=groups,
                is_ordered=table.times is not None,
                seed=seed,
            ),
            "importances": judged.importances,
            "slices": judged.slices,
            "n_slices": judged.n_slices,
            "members": (own,) if is_other else before.members,
            "refinements": () if is_other else before.refinements,
            "warnings": (
                *before.warnings,
                f"Made from version {report.version} of {report.model} by {report.winner}: "
                f"{made.what}. The search described here is that version's.",
            ),
        }
    )


def _requirements(made: Made) -> list[str]:
    if isinstance(getattr(made.model, "content", None), bytes):
        return [f"{name}=={version(name)}" for name in GRAPH_NEEDS]
    return pip_requirements(made.model)
