"""MCP progress from the progress of a run."""

from collections.abc import Awaitable, Callable

from mcp.server.mcpserver import Context

from ml_orchestrator.orchestration.models import RunProgress
from ml_orchestrator.services import Services

__all__ = ["progress_to"]


def progress_to(ctx: Context[Services]) -> Callable[[RunProgress], Awaitable[None]]:
    """Return a function that reports a run's progress to the client, in percent."""

    async def report(progress: RunProgress) -> None:
        await ctx.report_progress(
            progress.fraction * 100, 100, f"{progress.step}: {progress.message}"
        )

    return report
