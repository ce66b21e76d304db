"""Resources: the same state as the tools return, readable by address."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from pydantic import BaseModel

from ml_orchestrator.errors import NotFoundError, OrchestratorError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.services import Services

__all__ = ["add_resources", "reader_of_changes"]

P = ParamSpec("P")


def add_resources(server: MCPServer[Services], services: Services) -> None:
    """Offer memory, messages, registry, runs and health as resources, all of them JSON."""

    async def memory(agent: str) -> BaseModel:
        return await services.collaboration.load_memory(canonical_agent(agent), limit=20)

    async def inbox(agent: str) -> BaseModel:
        return await _inbox(services, agent)

    async def thread(thread_id: str) -> BaseModel:
        return await services.collaboration.thread(thread_id)

    async def dead_letters(agent: str) -> BaseModel:
        return await services.collaboration.dead_letters(canonical_agent(agent))

    async def leases() -> BaseModel:
        return await services.collaboration.leases()

    async def model(model: str) -> BaseModel:
        return await services.deployment.list_models(model=model, limit=50, cursor=None)

    async def run(run_id: str) -> BaseModel:
        return await services.workflow.status(run_id)

    async def health() -> BaseModel:
        return await services.monitoring.health("concise")

    for address, read, title, description in (
        ("memory://{agent}", memory, "Memory", "Newest tasks and insights of one agent."),
        ("inbox://{agent}", inbox, "Inbox", "The first unread messages of one agent."),
        (
            "thread://{thread_id}",
            thread,
            "Thread",
            "Messages in order, and who has dealt with them.",
        ),
        ("dead-letter://{agent}", dead_letters, "Dead letters", "What an agent sent to nobody."),
        ("lease://all", leases, "Leases", "Who says to be at work on what, until when."),
        ("registry://{model}", model, "Model", "Versions, aliases and metrics of one model."),
        ("run://{run_id}", run, "Run", "State, steps, progress and result of one run."),
        ("health://system", health, "Health", "How every component in use is."),
    ):
        server.resource(
            address,
            name=read.__name__,
            title=title,
            description=description,
            mime_type="application/json",
        )(_as_json(read))


def reader_of_changes(services: Services) -> Callable[[str], Awaitable[str]]:
    """Return what gives the content of an address whose changes clients may watch."""
    collaboration = services.collaboration
    reads: dict[str, Callable[[str], Awaitable[BaseModel]]] = {
        "memory": lambda agent: collaboration.load_memory(canonical_agent(agent), limit=20),
        "inbox": lambda agent: _inbox(services, agent),
        "thread": collaboration.thread,
        "dead-letter": lambda agent: collaboration.dead_letters(canonical_agent(agent)),
        "lease": lambda _: collaboration.leases(),
        "registry": lambda model: services.deployment.list_models(model=model),
        "run": services.workflow.look,
    }

    async def read(address: str) -> str:
        scheme, _, name = address.partition("://")
        return (await reads[scheme](name)).model_dump_json()

    return read


async def _inbox(services: Services, agent: str) -> BaseModel:
    return await services.collaboration.inbox(
        canonical_agent(agent), limit=20, cursor=None, with_acknowledged=False
    )


def _as_json(read: Callable[P, Awaitable[BaseModel]]) -> Callable[P, Awaitable[str]]:
    """Return ``read`` with its record as JSON text and our errors as resource errors."""

    @wraps(read)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> str:
        try:
            record = await read(*args, **kwargs)
        except NotFoundError as error:
            raise ResourceNotFoundError(str(error)) from error
        except OrchestratorError as error:
            raise ResourceError(str(error)) from error
        return record.model_dump_json()

    return guarded
