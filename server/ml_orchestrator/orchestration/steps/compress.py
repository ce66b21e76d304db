"""Make a registered version smaller and judge what that costs."""

from collections.abc import Mapping
from typing import Any

from threadpoolctl import threadpool_limits

from ml_orchestrator.orchestration.compressing.case import load_case
from ml_orchestrator.orchestration.compressing.judging import Compressed, compress
from ml_orchestrator.orchestration.compressing.outcome import as_trained, files_of
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.orchestration.steps._trained import name_of_trained, save_extras, save_trained
from ml_orchestrator.training.scoring import n_threads

__all__ = ["compress_for_pipeline", "compress_version"]

ONNX_FILES = {"onnx": "model.onnx", "quantise": "model.int8.onnx"}
LOADED = 0.1  # fraction of the step, for the report


def compress_version(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Try every way, leave the winner in the run's folder as a training would, and report.

    ONNX files are left there too, and logged with the version that is registered.
    """
    found, exported = _compressed(context, params)
    return {
        "compression": found.report.model_dump(mode="json"),
        "onnx_files": [str(context.folder / "extras" / name) for name in exported],
    }


def compress_for_pipeline(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Do the same, and return where the winner lies and what it is worth."""
    report = _compressed(context, params)[0].report
    best = next((each for each in report.methods if each.method == report.winner), None)
    return {
        "trained": name_of_trained(context) if best else None,
        "made_from": f"{report.model}/{report.version}",
        "winner": report.winner,
        "verdict": best and best.verdict,
        "is_within_tolerance": report.is_within_tolerance,
        "kept": best.quality.kept if best and best.quality else None,
        "times_smaller": best.size.ratio if best and best.size else None,
        "times_faster": best.latency.single_ratio if best and best.latency else None,
        "summary": report.summary,
    }


def _compressed(
    context: StepContext, params: Mapping[str, Any]
) -> tuple[Compressed, dict[str, bytes]]:
    """Return what was found, and the ONNX files by name; all that is kept is written."""
    context.report(0.0, "loading the version and its data")
    case = load_case(context.settings, params["model"], params["version"])
    with threadpool_limits(n_threads(case.job.table)):
        found = compress(
            case,
            params["methods"],
            tolerance=params["tolerance"],
            prefer=params["prefer"],
            seed=params["seed"],
            tell=lambda part, text: context.report(LOADED + (0.9 - LOADED) * part, text),
        )
        context.report(0.9, "keeping what was found")
        exported = _exported(found)
        save_extras(context.folder, {**files_of(case, found.report), **exported})
        if found.winner is not None:
            save_trained(context.folder, as_trained(case, found, found.winner))
    return found, exported


def _exported(found: Compressed) -> dict[str, bytes]:
    """Return the ONNX files that were made and are good enough, by name."""
    verdicts = {each.method: each.verdict for each in found.report.methods}
    return {
        ONNX_FILES[method]: made.model.content
        for method, made in found.made.items()
        if method in ONNX_FILES and verdicts[method] != "worse"
    }
