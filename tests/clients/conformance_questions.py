"""Tools of the conformance fixture that ask the client something before they answer."""

import warnings
from typing import Annotated, Any

from mcp import MCPDeprecationWarning
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingCapability,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from ml_orchestrator.services import Services
from ml_orchestrator.tools._tool import tool

__all__ = ["answer_of", "ask"]

Question = ElicitRequest | CreateMessageRequest | ListRootsRequest


class Person(BaseModel):
    """A form with two texts."""

    username: Annotated[str, Field(description="User's response")]
    email: Annotated[str, Field(description="User's email address")]


class WithDefaults(BaseModel):
    """A form with a default of each primitive type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = (
        "active"
    )
    verified: bool = True


def _choice(*values: str, title: str) -> list[Any]:
    return [{"const": value, "title": f"{title} {value}"} for value in values]


_OPTIONS = ["option1", "option2", "option3"]
_VALUES = _choice("value1", "value2", "value3", title="Choice")


class WithChoices(BaseModel):
    """A form with each way to write a choice."""

    untitledSingle: Annotated[str, Field(json_schema_extra={"enum": [*_OPTIONS]})]  # noqa: N815
    titledSingle: Annotated[str, Field(json_schema_extra={"oneOf": _VALUES})]  # noqa: N815
    legacyEnum: Annotated[  # noqa: N815
        str,
        Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["First", "Second"]}),
    ]
    untitledMulti: Annotated[  # noqa: N815
        list[str], Field(json_schema_extra={"items": {"type": "string", "enum": [*_OPTIONS]}})
    ]
    titledMulti: Annotated[  # noqa: N815
        list[str], Field(json_schema_extra={"items": {"anyOf": _VALUES}})
    ]


def ask(message: str, field: str, kind: str = "string") -> ElicitRequest:
    """Return a question to the person with one field."""
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def ask_model(text: str, max_tokens: int) -> CreateMessageRequest:
    """Return a question to the client's model."""
    message = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def answer_of(ctx: Context[Services], key: str, field: str) -> str | None:
    """Return a field of the person's answer, or nothing if there is none to use."""
    answer = (ctx.input_responses or {}).get(key)
    if not isinstance(answer, ElicitResult) or not answer.content or field not in answer.content:
        return None
    return str(answer.content[field])


def _need(*state: str, **questions: Question) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state="".join(state) or None)


@tool(title="Ask a person", reads_only=True)
async def test_elicitation(
    message: Annotated[str, Field(description="What to ask.")], ctx: Context[Services]
) -> str:
    """Ask the person by the older protocol's own request."""
    return await _elicited(ctx, message, Person)


@tool(title="Ask with defaults", reads_only=True)
async def test_elicitation_sep1034_defaults(ctx: Context[Services]) -> str:
    """Ask with a default of each primitive type."""
    return await _elicited(ctx, "Please check these values", WithDefaults)


@tool(title="Ask with choices", reads_only=True)
async def test_elicitation_sep1330_enums(ctx: Context[Services]) -> str:
    """Ask with each way to write a choice."""
    return await _elicited(ctx, "Please choose", WithChoices)


async def _elicited(ctx: Context[Services], message: str, form: type[BaseModel]) -> str:
    result = await ctx.elicit(message, form)
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"Elicitation completed: action={result.action}, content={content}"


@tool(title="Ask the model", reads_only=True)
async def test_sampling(
    prompt: Annotated[str, Field(description="What to ask.")], ctx: Context[Services]
) -> str:
    """Ask the client's model by the older protocol's own request."""
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        result = await ctx.session.create_message(messages=[message], max_tokens=100)
    return f"LLM response: {_text_of(result)}"


def _text_of(answer: object) -> str:
    if isinstance(answer, CreateMessageResult) and isinstance(answer.content, TextContent):
        return answer.content.text
    return "no text"


@tool(title="A capability the client lacks", reads_only=True)
async def test_missing_capability(ctx: Context[Services]) -> str:
    """Need sampling, and say so where the client has none."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        needed = ClientCapabilities(sampling=SamplingCapability())
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client with sampling.",
            {"requiredCapabilities": needed.model_dump(by_alias=True, exclude_none=True)},
        )
    return "The client has sampling."


@tool(title="Ask within a stream", reads_only=True)
async def test_streaming_elicitation(ctx: Context[Services]) -> str | InputRequiredResult:
    """Ask for a confirmation by a result that says what is missing."""
    if answer_of(ctx, "confirm", "ok") is None:
        return _need(confirm=ask("Please confirm", "ok", "boolean"))
    return "Confirmed."


@tool(title="Name", reads_only=True)
async def test_input_required_result_elicitation(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask for a name, then greet."""
    name = answer_of(ctx, "user_name", "name")
    return _need(user_name=ask("What is your name?", "name")) if name is None else f"Hello, {name}!"


@tool(title="Capital", reads_only=True)
async def test_input_required_result_sampling(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask the client's model a question, then repeat its answer."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if answer is None:
        return _need(capital_question=ask_model("What is the capital of France?", 100))
    return _text_of(answer)


@tool(title="Roots", reads_only=True)
async def test_input_required_result_list_roots(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask for the client's roots, then list them."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return _need(client_roots=ListRootsRequest())
    return "Roots: " + ", ".join(str(root.uri) for root in answer.roots)


@tool(title="State", reads_only=True)
async def test_input_required_result_request_state(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask for a confirmation and have a state brought back."""
    if ctx.request_state != "waiting" or answer_of(ctx, "confirm", "ok") is None:
        return _need("waiting", confirm=ask("Please confirm", "ok", "boolean"))
    return "state-ok"


@tool(title="Sealed state", reads_only=True)
async def test_input_required_result_tampered_state(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Have a state brought back that nobody may change."""
    return await test_input_required_result_request_state(ctx)


@tool(title="Several questions", reads_only=True)
async def test_input_required_result_multiple_inputs(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask the person, the model and for roots at once."""
    answers = ctx.input_responses or {}
    if {"user_name", "greeting", "client_roots"} <= set(answers):
        return f"{_text_of(answers['greeting'])} {answer_of(ctx, 'user_name', 'name')}"
    return _need(
        "three questions",
        user_name=ask("What is your name?", "name"),
        greeting=ask_model("Generate a greeting", 50),
        client_roots=ListRootsRequest(),
    )


@tool(title="Two rounds", reads_only=True)
async def test_input_required_result_multi_round(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask for a name, then for a colour, and keep the name in between."""
    if name := answer_of(ctx, "step1", "name"):
        return _need(name, step2=ask("Step 2: What is your favorite color?", "color"))
    if color := answer_of(ctx, "step2", "color"):
        return f"{ctx.request_state} likes {color}."
    return _need("nobody yet", step1=ask("Step 1: What is your name?", "name"))


@tool(title="Only what the client can", reads_only=True)
async def test_input_required_result_capabilities(
    ctx: Context[Services],
) -> str | InputRequiredResult:
    """Ask only by the means that the client declared."""
    capabilities = ctx.client_capabilities or ClientCapabilities()
    questions: dict[str, Question] = {}
    if capabilities.sampling is not None:
        questions["greeting"] = ask_model("Generate a greeting", 50)
    if capabilities.elicitation is not None:
        questions["user_name"] = ask("What is your name?", "name")
    if not questions or ctx.input_responses:
        return "Nothing is missing."
    return _need(**questions)
