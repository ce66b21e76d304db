"""The plug-in in other folders: as it is published, and with something of it changed."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients import go_between
from tests.clients.programs import ROOT, Programs
from tests.launcher.small_plugin import SmallPlugin

__all__ = [
    "changed_plugin",
    "go_between_command",
    "installing_from",
    "make_marketplace",
    "make_small_marketplace",
    "shipped_hooks",
]


def make_marketplace(folder: Path) -> Path:
    """Copy what is published; the server runs in the environment of these tests."""
    compiled = shutil.ignore_patterns("__pycache__")
    for name in (".claude-plugin", "agents", "bin", "hooks", "server", "skills"):
        shutil.copytree(ROOT / name, folder / name, ignore=compiled)
    shutil.copy(ROOT / ".mcp.json", folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def make_small_marketplace(folder: Path) -> SmallPlugin:
    """Make a marketplace of our agents, hooks and launcher, with a small server to install."""
    plugin = SmallPlugin(folder)
    plugin.folder.mkdir()
    plugin.make()
    plugin.put_wheel()
    for name in (".claude-plugin", "agents", "hooks"):
        shutil.copytree(ROOT / name, plugin.root / name)
    shutil.copy(ROOT / ".mcp.json", plugin.root)
    return plugin


def installing_from(marketplace: SmallPlugin, programs: Programs) -> dict[str, str]:
    """Return variables by which the launcher installs what lies beside a small plug-in."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(marketplace.wheels),
        "PATH": f"{Path(sys.executable).parent}:{programs.environment()['PATH']}",
    }


def changed_plugin(
    folder: Path, *, before_server: Sequence[str], hooks: Mapping[str, Any] | None = None
) -> Path:
    """Make the plug-in with a command before that of its server, and with other hooks if given."""
    folder.mkdir()
    for name in (".claude-plugin", "agents", "bin", "skills"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "hooks").mkdir()
    (folder / "hooks" / "hooks.json").write_text(json.dumps(hooks or shipped_hooks()))
    connection = json.loads((ROOT / ".mcp.json").read_text())
    server = connection["mcpServers"]["ml"]
    command = [*before_server, server["command"], *server["args"]]
    server.update(command=command[0], args=command[1:])
    (folder / ".mcp.json").write_text(json.dumps(connection))
    return folder


def shipped_hooks() -> dict[str, Any]:
    """Return the hooks as they are published."""
    hooks: dict[str, Any] = json.loads((ROOT / "hooks" / "hooks.json").read_text())
    return hooks


def go_between_command(log: Path, *options: str) -> tuple[str, ...]:
    """Return the command that notes what the client asks, with what it is to spoil."""
    program = ("python3", "-I", "-S", str(Path(go_between.__file__)))
    return (*program, "--log", str(log), *options, "--")
