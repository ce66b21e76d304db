"""Does Claude Code know the plug-in, and is the plug-in's environment whole?"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note

__all__ = ["check_plugin"]

NAME = "ml-orchestrator"
NEEDED = (".claude-plugin/plugin.json", ".mcp.json", "bin/ml-orchestrator-launch")
_AGAIN = f"claude plugin uninstall {NAME}, then claude plugin install {NAME}"


def check_plugin(patient: Patient) -> Iterator[Finding]:
    """Look at what Claude Code has noted of the plug-in, for this user."""
    folder = _folder(patient.environ)
    if not folder.is_dir() and shutil.which("claude", path=patient.environ.get("PATH")) is None:
        yield fine("claude code", "It is not on this machine; other clients do not need it.")
        return
    installed = _read(folder / "plugins" / "installed_plugins.json").get("plugins")
    known = installed if isinstance(installed, dict) else {}
    found = {key: at for key, at in known.items() if key.split("@")[0] == NAME}
    if not found:
        said = f"Claude Code has no plug-in {NAME} for this user."
        do = "claude plugin install, or claude --plugin-dir FOLDER (see README), if it is meant to."
        yield note("claude code", said, do)
    for key, entries in found.items():
        yield from _about(key, entries if isinstance(entries, list) else [entries], folder)
    yield from _environments(patient, folder)


def _folder(environ: Mapping[str, str]) -> Path:
    if given := environ.get("CLAUDE_CONFIG_DIR"):
        return Path(given)
    return Path(environ.get("HOME") or "~").expanduser() / ".claude"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _about(key: str, entries: list[Any], folder: Path) -> Iterator[Finding]:
    enabled = _read(folder / "settings.json").get("enabledPlugins", {})
    if isinstance(enabled, dict) and enabled.get(key) is False:
        yield fault("claude code", f"The plug-in {key} is disabled.", f"claude plugin enable {key}")
        return
    for entry in entries:
        place = Path(str(entry.get("installPath", "")) if isinstance(entry, dict) else "")
        missing = [name for name in NEEDED if not (place / name).is_file()]
        if missing:
            said = f"The plug-in {key} should be in {place}, where {missing[0]} is missing."
            yield fault("claude code", said, _AGAIN)
        else:
            yield fine("claude code", f"The plug-in {key} is in {place}.")


def _environments(patient: Patient, folder: Path) -> Iterator[Finding]:
    given = patient.environ.get("CLAUDE_PLUGIN_DATA")
    places = [Path(given)] if given else sorted((folder / "plugins" / "data").glob(f"{NAME}-*"))
    for place in places:
        made = sorted(place.glob("env-*"))
        whole = [each for each in made if (each / "complete").is_file() and _has_python(each)]
        if whole:
            yield fine("plug-in environment", f"{whole[-1]} is whole.")
        elif made:
            said = f"{made[-1]} is not whole: its installation was cut off, or goes on now."
            do = f"Start a session, which goes on with it; or rm -r {place}/env-* and start one."
            yield fault("plug-in environment", said, do)


def _has_python(environment: Path) -> bool:
    return (environment / "venv" / "bin" / "python").exists()
