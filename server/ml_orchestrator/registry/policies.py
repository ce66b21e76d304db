"""Policies as data: what a move of an alias needs, and which differences of environment pass.

The defaults below hold unless ``policies.toml`` in the data directory says otherwise, for an alias
of every model or of one::

    [alias.production]
    approval = "always"          # never | promotions (not a rollback to a version) | always
    cool_down_s = 600            # seconds between two moves; a rollback need not wait
    agents = ["ml-orchestrator"] # who may, among those with the right to move aliases

    [model.churn.alias.staging]
    gates = ["is_verified"]      # see ALIAS_RULES; the general ones always hold

    [environment]
    missing = "refuse"           # refuse | warn: a package that the version needs is not here
    newer_major = "refuse"       # its major version here is another
    other = "warn"               # any other difference
"""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.registry.names import check_alias, check_model

__all__ = ["ENVIRONMENTS", "GENERAL_GATES", "AliasPolicy", "EnvironmentPolicy", "PolicyBook"]

FILE_NAME = "policies.toml"
MAX_BYTES = 100_000
GENERAL_GATES = ("changes_something", "is_ready")
ENVIRONMENTS = ("dev", "staging", "production")  # each is an alias, in the order of promotion

Verdict = Literal["refuse", "warn"]
_APPROVED = {"always": "every move", "promotions": "promotions and removal"}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AliasPolicy(_Strict):
    """What a move of one alias needs.

    Attributes:
        gates: Names of alias rules, besides the general ones.
        agents: Who may move it; None: whoever has the right to move aliases.
        approval: Whether a person must approve the plan; *promotions* lets a rollback to
            another version pass; taking the alias off is none, unless a roll-out undoes itself.
        cool_down_s: Seconds between two moves; a rollback need not wait.
    """

    gates: tuple[str, ...] = ()
    agents: tuple[str, ...] | None = None
    approval: Literal["never", "promotions", "always"] = "never"
    cool_down_s: Annotated[float, Field(ge=0, le=2_592_000)] = 0.0

    @property
    def all_gates(self) -> tuple[str, ...]:
        """The general gates, then those of this alias."""
        return tuple(dict.fromkeys((*GENERAL_GATES, *self.gates)))

    def needs_approval(self, *, is_rollback: bool, is_removal: bool = False) -> bool:
        """Say whether a person must approve such a move.

        Args:
            is_rollback: Whether it undoes the last move.
            is_removal: Whether it leaves the alias unset, other than as a roll-out's way back.
        """
        is_free = is_rollback and not is_removal
        return self.approval == "always" or (self.approval == "promotions" and not is_free)

    def describe(self) -> str:
        """Return the policy in one line."""
        parts = [f"gates {', '.join(self.all_gates)}"]
        if self.agents is not None:
            parts.append(f"by {', '.join(self.agents) or 'nobody'}")
        if self.approval != "never":
            parts.append(f"a person approves {_APPROVED[self.approval]}")
        if self.cool_down_s:
            parts.append(f"{self.cool_down_s:g} s between moves")
        return "; ".join(parts)


class EnvironmentPolicy(_Strict):
    """Which differences between the recorded environment and this one are refused."""

    missing: Verdict = "refuse"
    newer_major: Verdict = "refuse"
    other: Verdict = "warn"


DEFAULTS: Mapping[str, AliasPolicy] = {
    "challenger": AliasPolicy(gates=("is_verified", "is_not_champion")),
    "champion": AliasPolicy(gates=("is_verified",)),
    "staging": AliasPolicy(gates=("is_verified", "was_dev")),
    "production": AliasPolicy(
        gates=("is_verified", "was_tried"), approval="promotions", cool_down_s=60.0
    ),
}


class _AliasChange(_Strict):
    """One table of the file: what it leaves out stays as it is."""

    gates: list[str] | None = None
    agents: list[str] | None = None
    approval: Literal["never", "promotions", "always"] | None = None
    cool_down_s: Annotated[float, Field(ge=0, le=2_592_000)] | None = None

    def applied_to(self, policy: AliasPolicy) -> AliasPolicy:
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.model_dump(exclude_none=True).items()
        }
        return policy.model_copy(update=given)


class _ModelPart(_Strict):
    alias: dict[str, _AliasChange] = {}


class _File(_Strict):
    alias: dict[str, _AliasChange] = {}
    model: dict[str, _ModelPart] = {}
    environment: EnvironmentPolicy = EnvironmentPolicy()


class PolicyBook:
    """The policies of a data directory; a changed file counts from the next look on.

    Every method raises InvalidInputError if the file cannot be used, naming the line or the key:
    nothing moves under a policy that nobody understood.
    """

    def __init__(self, home: Path, *, known_gates: Collection[str]) -> None:
        self._path = home / FILE_NAME
        self._known_gates = known_gates
        self._read: tuple[tuple[int, int], _File] | None = None

    def of(self, model: str, alias: str) -> AliasPolicy:
        """Return the policy of one alias of one model."""
        content = self._content()
        policy = DEFAULTS.get(alias, AliasPolicy())
        if general := content.alias.get(alias):
            policy = general.applied_to(policy)
        part = content.model.get(model)
        if part and (special := part.alias.get(alias)):
            policy = special.applied_to(policy)
        return policy

    @property
    def environment(self) -> EnvironmentPolicy:
        """The policy for differences between a version's environment and this one."""
        return self._content().environment

    def _content(self) -> _File:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return _File()
        if found.st_size > MAX_BYTES:
            raise InvalidInputError(f"{FILE_NAME} has {found.st_size} bytes; at most {MAX_BYTES}.")
        mark = (found.st_mtime_ns, found.st_size)
        if self._read is None or self._read[0] != mark:
            self._read = (mark, _parse(self._path, self._known_gates))
        return self._read[1]


def _parse(path: Path, known_gates: Collection[str]) -> _File:
    try:
        text = path.read_bytes().decode()
        found = tomllib.loads(text)
        content = _File.model_validate(found)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{FILE_NAME} is not TOML: {error}.") from error
    except RecursionError as error:
        raise InvalidInputError(f"{FILE_NAME} is nested too deeply.") from error
    except ValidationError as error:
        raise InvalidInputError(
            f"{FILE_NAME} cannot be used: {'; '.join(map(_fault, error.errors()[:5]))}."
        ) from error
    _check_names(content, known_gates)
    return content


def _check_names(content: _File, known_gates: Collection[str]) -> None:
    tables = [(f"alias.{alias}", alias, change) for alias, change in content.alias.items()]
    for model, part in content.model.items():
        check_model(model)
        tables += [(f"model.{model}.alias.{a}", a, change) for a, change in part.alias.items()]
    for key, alias, change in tables:
        check_alias(alias)
        for agent in change.agents or ():
            canonical_agent(agent)
        if unknown := sorted(set(change.gates or ()) - set(known_gates)):
            raise InvalidInputError(
                f"{FILE_NAME}: {key}.gates names {', '.join(unknown)}; "
                f"known: {', '.join(sorted(known_gates))}."
            )


def _fault(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}"
    found = f" (got {str(fault['input'])[:60]!r})" if not isinstance(fault["input"], dict) else ""
    return f"{key}: {fault['msg']}{found}"
