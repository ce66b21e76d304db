"""Changing how components are configured: checked, written as a whole, seen by every process."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.orchestration.connectors.contract import Connector
from ml_orchestrator.orchestration.connectors.plan import FILE, Entry, read_entries
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.locks import exclusive
from ml_orchestrator.storage.whole_files import write_whole

__all__ = ["ask_for_reload", "configure"]


def configure(
    settings: Settings,
    connector: Connector[Any],
    given: Mapping[str, Any],
    *,
    unset: Sequence[str] = (),
) -> Entry:
    """Keep values for a component and take others back; who uses it builds it anew.

    Raises:
        InvalidInputError: it does not take such a value; the message names what it takes.
    """
    _refuse_unknown(connector, [*given, *unset])
    return _write(settings, connector, dict(given), unset)


def ask_for_reload(settings: Settings, connector: Connector[Any]) -> Entry:
    """Have every process build a component anew, with the configuration it has."""
    return _write(settings, connector, {}, ())


def _refuse_unknown(connector: Connector[Any], names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in connector.takes]:
        known = ", ".join(connector.takes) or "nothing"
        raise InvalidInputError(
            f"Component {connector.name!r} is not configured by {', '.join(unknown)}; it takes: "
            f"{known}. What else it needs is set by the environment (docs/settings.md)."
        )


def _write(
    settings: Settings, connector: Connector[Any], given: dict[str, Any], unset: Sequence[str]
) -> Entry:
    prepare_home(settings.home)
    path = settings.home / FILE
    with exclusive(path, doing="writing the configuration of components"):
        entries = read_entries(path)
        before = entries.get(connector.name, Entry())
        wanted = {name: value for name, value in before.values.items() if name not in unset}
        entry = Entry(
            generation=before.generation + 1, values=_checked(connector, {**wanted, **given})
        )
        entries[connector.name] = entry
        content = {name: each.model_dump(mode="json") for name, each in entries.items()}
        write_whole(path, f"{json.dumps(content, indent=1)}\n")
    return entry


def _checked(connector: Connector[Any], values: dict[str, Any]) -> dict[str, Any]:
    try:
        checked = connector.schema().model_validate(values)
    except ValidationError as error:
        faults = faults_of(error.errors())
        raise InvalidInputError(
            f"Component {connector.name!r} cannot be configured so: {faults}. Nothing was changed."
        ) from error
    return checked.model_dump(mode="json", include=set(values))
