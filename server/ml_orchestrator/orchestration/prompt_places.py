"""Where a prompt may be written in MLflow's prompt registry, without loading MLflow."""

from typing import Annotated

from pydantic import Field

from ml_orchestrator.errors import PermissionDeniedError
from ml_orchestrator.records import Record
from ml_orchestrator.registry.names import check_alias, check_model

__all__ = ["RegisteredPrompt", "check_place"]

FOR_PEOPLE = frozenset({"production", "champion"})


class RegisteredPrompt(Record):
    """A version in MLflow's prompt registry."""

    name: str
    version: int
    alias: Annotated[str | None, Field(description="Points to this version now.")]
    uri: Annotated[str, Field(description="MLflow loads it by this.")]


def check_place(name: str, alias: str | None) -> None:
    """Return if a prompt may be registered by an agent under this name and alias.

    Raises:
        InvalidInputError: one cannot be a name.
        PermissionDeniedError: the alias is moved by people alone.
    """
    check_model(name)
    if alias is not None and check_alias(alias) in FOR_PEOPLE:
        raise PermissionDeniedError(
            f"@{alias} of a prompt is moved by a person, in MLflow. Use another alias, such as "
            "challenger, and tell them."
        )
