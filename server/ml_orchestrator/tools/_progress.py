"""MCP progress from the progress of a run."""

from collections.abc import Awaitable, Callable

from mcp.server.mcpserver import Context

from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.services import Services
from ml_orchestrator.serving.rollout.models import RolloutStatus

__all__ = ["progress_to", "rollout_progress_to"]


def progress_to(ctx: Context[Services]) -> Callable[[RunStatus], Awaitable[None]]:
    """Return a function that reports a run's progress to the client, in percent.

    MCP wants progress that never falls, so a later report counts at least as much as an
    earlier one.
    """
    most = 0.0

    async def report(status: RunStatus) -> None:
        nonlocal most
        most = max(most, status.fraction * 100)
        latest = status.progress
        message = f"{latest.step}: {latest.message}" if latest else status.state
        await ctx.report_progress(most, 100, message)

    return report


def rollout_progress_to(ctx: Context[Services]) -> Callable[[RolloutStatus], Awaitable[None]]:
    """Return a function that reports a roll-out's progress to the client, in percent."""
    most = 0.0

    async def report(status: RolloutStatus) -> None:
        nonlocal most
        most = max(most, status.fraction * 100)
        await ctx.report_progress(most, 100, f"{status.state}: {status.phase or status.model}")

    return report
