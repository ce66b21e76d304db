"""Components in a terminal: ``ml-orchestrator components list|show|reload|configure``."""

import argparse
import json
from collections.abc import Callable
from typing import Any

import anyio

from ml_orchestrator.app import build_services, components_by_name
from ml_orchestrator.deploying_text import plain
from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.status import ComponentHealth, tiers_of
from ml_orchestrator.orchestration.connectors import TIERS, Slot
from ml_orchestrator.orchestration.connectors.configuring import ask_for_reload, configure
from ml_orchestrator.settings import Settings

__all__ = ["run_components"]


def run_components(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act; 1 if what is shown is not well."""
    return _ACTS[arguments.act](arguments, settings)


def _list(given: argparse.Namespace, settings: Settings) -> int:
    components = build_services(settings).components

    async def look() -> list[ComponentHealth]:
        return await components.check(open_all=given.probe)

    found = anyio.run(look)
    if given.json:
        print(json.dumps([component.model_dump() for component in found]))
    else:
        _print_tiers(found)
    return 1 if any(c.state in ("degraded", "stopped") for c in found) else 0


def _print_tiers(found: list[ComponentHealth]) -> None:
    for tier in tiers_of(found, TIERS):
        print(f"{tier.tier} {tier.name}: {tier.state}")
        for part in found:
            if part.tier == tier.tier:
                cost = "" if part.load_ms is None else f"  ({part.load_ms:.0f} ms to load)"
                print(plain([f"    {part.state:<11} {part.name:<28} {part.detail}{cost}"]))


def _show(given: argparse.Namespace, settings: Settings) -> int:
    services = build_services(settings)

    async def look() -> ComponentHealth:
        return await services.components.show(given.name)

    found = anyio.run(look)
    slot = components_by_name(settings).get(given.name)
    schema = {} if slot is None else slot.connector.schema().model_json_schema()
    if given.json:
        print(json.dumps({**found.model_dump(), "schema": schema}))
    else:
        print(_text(found, schema.get("properties", {})))
    return 1 if found.state in ("degraded", "stopped") else 0


def _text(found: ComponentHealth, takes: dict[str, Any]) -> str:
    lines = [
        f"{found.name}  {found.kind} of tier {found.tier}, {TIERS[found.tier]}",
        f"  state        {found.state}: {found.detail}",
        f"  version      {found.version}",
        f"  needs        {', '.join(found.requires) or 'nothing'}",
        f"  can          {', '.join(found.capabilities or []) or 'one thing'}",
    ]
    if found.load_ms is not None:
        memory = "" if found.memory_mb is None else f", {found.memory_mb:.1f} MB"
        lines.append(f"  cost         {found.load_ms:.0f} ms{memory}, loaded in this process")
    if found.breaker is not None:
        retry = f", tried again at {found.breaker.retry_at}" if found.breaker.retry_at else ""
        lines.append(f"  breaker      {found.breaker.state}, {found.breaker.n_failures} failures"
                     f" in a row{retry}")  # fmt: skip
    values = found.configuration or {}
    for name, about in takes.items():
        lines.append(f"  {name} = {json.dumps(values.get(name))}  {about.get('description', '')}")
    return plain(lines)


def _reload(given: argparse.Namespace, settings: Settings) -> int:
    slot = _slot(given.name, settings)
    entry = ask_for_reload(settings, slot.connector)
    print(f"{given.name} is built anew (generation {entry.generation}): servers that run do so "
          "at their next call; calls that run keep the one that they have.")  # fmt: skip
    return 0


def _configure(given: argparse.Namespace, settings: Settings) -> int:
    slot = _slot(given.name, settings)
    values = dict(_pair(text) for text in given.values)
    if not values and not given.unset:
        raise InvalidInputError(
            f"Nothing was given. {given.name} takes: {', '.join(slot.connector.takes) or 'nothing'}"
            "; give NAME=VALUE, or --unset NAME."
        )
    entry = configure(settings, slot.connector, values, unset=given.unset)
    shown = ", ".join(f"{name} = {json.dumps(value)}" for name, value in entry.values.items())
    print(f"{given.name} (generation {entry.generation}): {shown or 'as the settings say'}")
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair:
        raise InvalidInputError(f"{text!r} is not NAME=VALUE.")
    return name, value


def _slot(name: str, settings: Settings) -> Slot[Any]:
    slots = components_by_name(settings)
    if name not in slots:
        raise NotFoundError(
            f"No component named {name!r} can be built anew; those that can: "
            f"{', '.join(sorted(slots))}."
        )
    return slots[name]


_ACTS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "list": _list,
    "show": _show,
    "reload": _reload,
    "configure": _configure,
}
