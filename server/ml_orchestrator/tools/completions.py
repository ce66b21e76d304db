"""Completions for the arguments of prompts and resource addresses."""

from collections.abc import Sequence

from mcp.server import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from ml_orchestrator.agent_names import SHIPPED_AGENTS
from ml_orchestrator.errors import OrchestratorError
from ml_orchestrator.services import Services

__all__ = ["add_completions"]

MOST = 100


def add_completions(server: MCPServer[Services], services: Services) -> None:
    """Complete agents, models, runs and data sets by what exists."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # mcp 2.3
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        del ref, context  # an argument's name tells enough: it means the same everywhere
        try:
            known = await _known(services, argument.name)
        except OrchestratorError:
            known = ()  # a store that is away offers no completions; a call will say why
        found = [value for value in known if value.startswith(argument.value)]
        return Completion(values=found[:MOST], total=len(found), has_more=len(found) > MOST)


async def _known(services: Services, name: str) -> Sequence[str]:
    if name == "agent":
        return SHIPPED_AGENTS
    if name == "model":
        return await _models(services)
    if name == "run_id":
        runs = await services.workflow.runs(limit=MOST, cursor=None)
        return [run.run_id for run in runs.runs]
    if name in ("source", "reference", "current"):
        return await services.monitoring.builtin_sources()
    return ()


async def _models(services: Services) -> list[str]:
    """Return the name of every registered model."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await services.deployment.list_models(limit=MOST, cursor=cursor)
        names += [model.model for model in page.models]
        if (cursor := page.next_cursor) is None:
            return names
