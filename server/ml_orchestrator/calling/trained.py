"""What a terminal shows of a training that ended: what the model is worth, and what next."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_orchestrator.deploying_text import in_a_terminal, plain
from ml_orchestrator.program import program
from ml_orchestrator.training.models import made_of

__all__ = ["command_of", "training_text"]

Fields = Mapping[str, Any]


def training_text(status: Fields, home: Path | None, asked: Sequence[str]) -> str:
    """Return the end of a training in a few lines.

    Where a column may leak the target, what comes next is not to use the model but to look at
    that: a score of a model that was told the answer says nothing of it.

    Args:
        status: What ``training_status`` answers of a run that succeeded, with its ``result``.
        home: The data directory that was named by ``--home``, for the commands to type next.
        asked: The words after ``train`` that asked for it, to be typed again with more.
    """
    result = status["result"]
    summary = result["summary"]
    lines = [
        f"{status['run_id']}  {status['state']}: {summary['target']} ({summary['task']})",
        *_score(summary),
        f"  model     {_registered(result)}, {_made_of(summary)}",
        *(f"  warning   {in_a_terminal(text)}" for text in summary["warnings"]),
        "Next:",
        *_next(status["run_id"], result, home, asked),
    ]
    return plain(lines)


def command_of(home: Path | None) -> str:
    """Return how a command begins that is to look in the same data directory.

    >>> command_of(Path("my data"))
    "ml-orchestrator --home 'my data'"
    """
    return program() + ("" if home is None else f" --home {shlex.quote(str(home))}")


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


def _made_of(summary: Fields) -> str:
    return made_of(summary["trainer"], len(summary.get("members") or ()))


def _where(version: int) -> str:
    """Return what is to be added where an earlier version may have the alias."""
    return "   # if @champion is set: --expect VERSION" if version > 1 else ""


def _range(interval: Fields) -> str:
    return f"{interval['low']:.4g} to {interval['high']:.4g}, {interval['level']:.0%}"


def _registered(result: Fields) -> str:
    alias = f" @{result['alias']}" if result.get("alias") else ""
    return f"{result['model']} version {result['version']}{alias}"


def _next(run_id: str, result: Fields, home: Path | None, asked: Sequence[str]) -> list[str]:
    command = command_of(home)
    model, version = shlex.quote(result["model"]), result["version"]
    everything = f"  {command} runs show {run_id}   # all of it; --json prints it as JSON"
    if leaks := result["summary"].get("leakage_suspects"):
        ignored = [word for name in leaks for word in ("--ignore", name)]
        return [
            f"  Is {' or '.join(map(repr, leaks))} known when the model is asked? If not, the "
            "score says nothing; train without:",
            f"  {command} train {shlex.join([*asked, *ignored])}",
            everything,
        ]
    return [
        f"  {command} registry show {model}",
        f"  {command} registry move {model} champion {version} --reason '...'{_where(version)}",
        everything,
    ]
