"""The decorator that turns a coroutine function into a tool."""

import functools
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict, ValidationError
from pydantic_core import PydanticUndefined, to_json

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import OrchestratorError, PermissionDeniedError
from ml_orchestrator.faults import near
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.services import Services
from ml_orchestrator.services.unread_note import UnreadNote
from ml_orchestrator.text import MAX_LEVELS, is_too_deep
from ml_orchestrator.text.hidden import spell_hidden
from ml_orchestrator.tools import _services
from ml_orchestrator.tools._schema import (
    UNREAD,
    for_a_model,
    has_alternatives,
    untitled,
    with_unread,
)
from ml_orchestrator.uses import counted_use

__all__ = ["HIDDEN_TOOLS", "TOOLS", "StrictTool", "ToolEntry", "hidden_tool", "tool"]

_log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

MAX_ARGUMENT_BYTES = 1_000_000
MAX_FAULTS = 8
COUNTING = ("message_inbox", "hook_")  # it counts by itself, they speak to nobody


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """A handler with the hints a host shows."""

    handler: Callable[..., Awaitable[Any]]
    annotations: ToolAnnotations

    @property
    def reads_only(self) -> bool:
        """Whether the tool changes nothing."""
        return bool(self.annotations.read_only_hint)

    @property
    def tells_unread(self) -> bool:
        """Whether its results say what waits for the acting agent."""
        arguments = inspect.signature(self.handler).parameters
        return "agent" in arguments and not self.handler.__name__.startswith(COUNTING)

    def build(self) -> Tool:
        """Return the tool as the server takes it: strict arguments, schemas without noise."""
        built = StrictTool.from_function(
            self.handler,
            description=" ".join((inspect.getdoc(self.handler) or "").split()),
            title=self.annotations.title,
            annotations=self.annotations,
        )
        built.fn_metadata = _strict(built.fn_metadata)
        _give_services(built)
        if self.tells_unread:
            built.fn_metadata.output_schema = with_unread(built.fn_metadata.output_schema)
        built.parameters = for_a_model(built.fn_metadata.arg_model.model_json_schema(by_alias=True))
        return built


TOOLS: Catalog[ToolEntry] = Catalog("tool")
HIDDEN_TOOLS: Catalog[ToolEntry] = Catalog("hidden tool")


def tool(
    *, title: str, reads_only: bool = False, destroys: bool = False
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """File a coroutine function as a tool named after it.

    Arguments are taken strictly: unknown names and coerced types are refused. A tool that
    changes something has an ``agent`` argument, whose right to use it is checked before the
    handler runs. Expected failures (``OrchestratorError``) reach the caller with their text;
    anything else is a defect whose text stays in the log.
    """

    def decorate(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        if not reads_only and "agent" not in inspect.signature(handler).parameters:
            raise TypeError(f"{handler.__name__} changes something, so it needs 'agent'.")

        hints = ToolAnnotations(
            title=title,
            read_only_hint=reads_only,
            destructive_hint=destroys,
            open_world_hint=False,
        )
        TOOLS.register(handler.__name__)(ToolEntry(_guarded(handler), hints))
        return handler

    return decorate


def hidden_tool(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """File a coroutine function as a tool that can be called but is not listed.

    It is there for the hooks of a client, which call tools by name; a model never sees it.
    Arguments and failures are treated as by ``tool``; rights are the handler's own matter.
    """
    hints = ToolAnnotations(title=handler.__name__, open_world_hint=False)
    HIDDEN_TOOLS.register(handler.__name__)(ToolEntry(_guarded(handler), hints))
    return handler


def _guarded(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @functools.wraps(handler)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with counted_use():
                return await handler(*args, **kwargs)
        except OrchestratorError as error:
            shown, _ = spell_hidden(str(error))  # it may repeat what the caller wrote
            raise ToolError(shown) from error

    return guarded


class StrictTool(Tool):
    """A tool that says plainly what is wrong with its arguments, and checks rights."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> Any:
        """Check form and rights, then run; the error text is for the model to act on."""
        for argument, value in arguments.items():
            self._refuse_odd(argument, value)
        await self._authorise(arguments, context)
        try:
            note = UnreadNote(_acting(arguments))
            with note.taken():
                result = await super().run(arguments, context, convert_result)
            return await self._with_unread(result, note, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(_explain(self, cause)) from cause
            if isinstance(cause, ToolError):
                raise cause from cause.__cause__
            raise

    async def _with_unread(self, result: Any, note: UnreadNote, context: Context[Any, Any]) -> Any:
        """Add what waits for the acting agent, since no client wakes an agent for it."""
        schema = self.fn_metadata.output_schema or {}
        has_place = UNREAD in schema.get("properties", {})
        if not has_place or not isinstance(result, CallToolResult) or result.is_error:
            return result
        unread = note.unread
        try:
            if unread is None:
                services: Services = context.request_context.lifespan_context
                unread = await services.collaboration.unread(note.agent)
        except OrchestratorError:
            _log.warning("Unread messages could not be counted", exc_info=True)
            return result
        told = {UNREAD: unread.model_dump()}
        changed: dict[str, Any] = {
            "structured_content": {**(result.structured_content or {}), **told}
        }
        if unread.n_unread:  # for clients that read the text alone
            changed["content"] = [*result.content, TextContent(type="text", text=json.dumps(told))]
        return result.model_copy(update=changed)

    def _refuse_odd(self, argument: str, value: Any) -> None:
        """Refuse what could not be stored and given back as JSON, or is too large to be."""
        if is_too_deep(value):
            raise ToolError(
                f"Argument {argument!r} of {self.name} is nested more than {MAX_LEVELS} levels "
                "deep. Make it flatter, or put it in a file and pass its path."
            )
        try:
            text = json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise ToolError(
                f"Argument {argument!r} of {self.name} holds half a character (a lone surrogate). "
                "Write it whole."
            ) from error
        except ValueError as error:
            raise ToolError(
                f"Argument {argument!r} of {self.name} holds a number that is not finite (NaN, "
                "Infinity) or too large. Leave it out or write it as text."
            ) from error
        if size > MAX_ARGUMENT_BYTES:
            raise ToolError(
                f"Argument {argument!r} of {self.name} has {size:,} bytes; at most "
                f"{MAX_ARGUMENT_BYTES:,} are taken. Put large data in a file and pass its path."
            )

    async def _authorise(self, arguments: dict[str, Any], context: Context[Any, Any]) -> None:
        if self.annotations is not None and self.annotations.read_only_hint:
            return
        agent = arguments.get("agent")
        if isinstance(agent, str):  # anything else fails validation, with a better message
            services: Services = context.request_context.lifespan_context
            try:
                services.security.authorise(agent, self.name)
            except OrchestratorError as error:
                if isinstance(error, PermissionDeniedError):
                    await services.security.note_refusal(agent, self.name)
                raise ToolError(str(error)) from error


class _StrictMetadata(FuncMetadata):
    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Validate as strict JSON, records inside, too: a time may be text, a number may not."""
        text = json.dumps(arguments_to_validate)
        return self.arg_model.model_validate_json(text, strict=True).model_dump_one_level()

    def convert_result(self, result: Any) -> Any:
        """Return a record of the declared type once as fields and once as text, without spaces.

        It is validated already; mcp 2.3 would write it as JSON twice, and its text for people.
        """
        if type(result) is not self.output_model or self.wrap_output:
            return super().convert_result(result)
        fields = result.model_dump(mode="json", by_alias=True)
        text = TextContent(type="text", text=to_json(fields).decode())
        return CallToolResult(content=[text], structured_content=fields)


def _give_services(built: Tool) -> None:
    """Let a tool have its services straight from the context.

    mcp 2.3 takes them through what it has for questions to people, at a tenth of what a light
    call takes in all. What asks somebody is left to it.
    """
    context = built.context_kwarg or "context_of_call"
    wants_context, handler = built.context_kwarg is not None, built.fn
    givers = {
        name: marker.fn
        for name, (marker, _) in built.resolved_params.items()
        if marker.fn.__module__ == _services.__name__
    }

    async def call(**arguments: Any) -> Any:
        of_call = arguments[context] if wants_context else arguments.pop(context)
        for name, give in givers.items():
            arguments[name] = await give(of_call)
        return await handler(**arguments)

    built.fn, built.context_kwarg = call, context
    built.resolved_params = {
        name: found for name, found in built.resolved_params.items() if name not in givers
    }


def _acting(arguments: dict[str, Any]) -> str:
    """Return who calls; a name of a wrong form is refused before anybody needs it."""
    agent = arguments.get("agent")
    try:
        return canonical_agent(agent) if isinstance(agent, str) else ""
    except OrchestratorError:
        return ""


def _strict(metadata: FuncMetadata) -> FuncMetadata:
    class Arguments(metadata.arg_model):  # type: ignore[name-defined, misc]  # a model made at run time
        model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    Arguments.__name__ = metadata.arg_model.__name__
    for field in Arguments.model_fields.values():
        if field.default in ([], {}):  # pydantic copies such a default in Python, at each call
            field.default, field.default_factory = PydanticUndefined, type(field.default)
    Arguments.model_rebuild(force=True)
    strict = _StrictMetadata(
        arg_model=Arguments,
        output_model=metadata.output_model,
        output_schema=metadata.output_schema and untitled(metadata.output_schema),
        wrap_output=metadata.wrap_output,
    )
    return strict


def _explain(built: Tool, error: ValidationError) -> str:
    properties = built.parameters.get("properties", {})
    by_argument: dict[str, list[Any]] = {}
    for fault in error.errors(include_url=False):
        by_argument.setdefault(str(fault["loc"][0]) if fault["loc"] else "", []).append(fault)
    said = [
        _alternatives(name, faults, properties)
        if len(faults) > 1 and has_alternatives(properties.get(name, {}))
        else " ".join(_fault(fault, properties) for fault in faults[:MAX_FAULTS])
        for name, faults in by_argument.items()
    ]
    return f"{built.name} was not run. " + " ".join(said[:MAX_FAULTS])


def _alternatives(name: str, faults: list[Any], properties: dict[str, Any]) -> str:
    """Say what an argument of several possible types takes; each type has its own fault."""
    reasons = " or ".join(dict.fromkeys(fault["msg"] for fault in faults))
    return f"Argument {name!r}: {reasons}. {properties[name].get('description', '')}".rstrip()


def _fault(fault: Any, properties: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "arguments"
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        known = ", ".join(properties)
        return f"Unknown argument {place!r}{near(place, properties)}; known: {known}."
    if fault["type"] == "missing":
        about = properties.get(place, {}).get("description", "")
        return f"Argument {place!r} is missing. {about}".rstrip()
    found = f" (got {str(fault['input'])[:60]!r})" if _is_scalar(fault.get("input")) else ""
    message = str(fault["msg"]).removeprefix("Value error, ").removesuffix(".")
    return f"Argument {place!r}: {message}{found}."


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) or value is None
