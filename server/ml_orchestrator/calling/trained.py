"""What a terminal shows of a training that ended: what the model is worth, and what next."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ml_orchestrator.deploying_text import plain

__all__ = ["training_text"]

Fields = Mapping[str, Any]


def training_text(status: Fields) -> str:
    """Return the end of a training in a few lines.

    Args:
        status: What ``training_status`` answers of a run that succeeded, with its ``result``.
    """
    result = status["result"]
    summary = result["summary"]
    lines = [
        f"{status['run_id']}  {status['state']}: {summary['target']} ({summary['task']})",
        *_score(summary),
        f"  model     {_registered(result)}, {summary['trainer']}",
        *(f"  warning   {text}" for text in summary["warnings"]),
        "Next:",
        *_next(status["run_id"], result),
    ]
    return plain(lines)


def _score(summary: Fields) -> Iterator[str]:
    name = summary["metric"]
    better = "higher" if summary["higher_is_better"] else "lower"
    if (held_out := summary["holdout"].get(name)) is not None:
        yield (
            f"  held out  {name} {held_out['estimate']:.4g} ({_range(held_out)}) on "
            f"{held_out['n']:,} rows; {better} is better"
        )
    gain = summary.get("baseline_gain")
    known = f"{summary['baseline'][name]:.4g}" if name in summary["baseline"] else "not known"
    told = f"; gain {gain['estimate']:+.4g} ({_range(gain)})" if gain else ""
    called = summary.get("strongest_baseline")
    yield f"  baseline  {known}{f' ({called})' if called else ''}{told}"


def _range(interval: Fields) -> str:
    return f"{interval['low']:.4g} to {interval['high']:.4g}, {interval['level']:.0%}"


def _registered(result: Fields) -> str:
    alias = f" @{result['alias']}" if result.get("alias") else ""
    return f"{result['model']} version {result['version']}{alias}"


def _next(run_id: str, result: Fields) -> list[str]:
    model, version = shlex.quote(result["model"]), result["version"]
    return [
        f"  ml-orchestrator registry show {model}",
        f"  ml-orchestrator registry move {model} champion {version} --reason '...'",
        f"  ml-orchestrator runs show {run_id}   # all of it; --json-output prints it as JSON",
    ]
