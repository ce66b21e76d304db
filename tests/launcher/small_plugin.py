"""A whole plug-in that is small: the real launcher, one wheel to install, a few lines of server."""

import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.launcher.raw_client import RawClient

__all__ = ["SmallPlugin", "make_wheel"]

ROOT = Path(__file__).resolve().parents[2]
WHEEL = "tiny_need-1.0-py3-none-any.whl"
METADATA = """\
Metadata-Version: 2.1
Name: ml-orchestrator-mcp
Version: 7.0
Requires-Dist: tiny-need
Provides-Extra: more
Requires-Dist: tiny-more; extra == 'more'
"""
SERVER = """\
import json, os, sys
import tiny_need

for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "tools/call":
        if asked["params"]["name"] == "crash":
            sys.exit("crashed")
        if asked["params"]["name"] == "environ":
            print(json.dumps(sorted(os.environ)), file=sys.stderr, flush=True)
        text = f"{asked['params']['name']} in {sys.prefix}"
        if text.startswith("hook_"):
            text = "{}"  # things take their course
        result = {"content": [{"type": "text", "text": text}], "isError": False}
        acknowledged = {"agent": "any", "acknowledged": [text], "already": []}
        result.update(structuredContent=acknowledged, resultType="complete")
    else:
        result = {}
    if "id" in asked:
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        print(json.dumps(answer, separators=(",", ":")), flush=True)
"""
# Stands where uv is looked for: tells that it was run, waits if told to, then fails, so that
# the launcher goes on to pip.
UV = """\
#!/bin/sh
echo run >> "{folder}/uv-runs"
/usr/bin/env > "{folder}/uv-environ"
while [ -e "{folder}/uv-waits" ]; do /bin/sleep 0.05; done
exit 1
"""


@dataclass(frozen=True, slots=True)
class SmallPlugin:
    """A plug-in in a folder of its own, whose packages come from ``wheels/`` alone."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "plugin"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def make(self) -> None:
        """Write everything but the wheel."""
        package = self.root / "server" / "ml_orchestrator"
        shutil.copytree(ROOT / "bin", self.root / "bin")
        shutil.copytree(ROOT / "server" / "ml_orchestrator" / "launcher", package / "launcher")
        for name in ("agent_names", "errors", "hook_answers"):
            shutil.copy(ROOT / "server" / "ml_orchestrator" / f"{name}.py", package)
        (self.root / "bin" / "METADATA").write_text(METADATA)
        (package / "__init__.py").write_text('"""A small stand-in."""\n')
        (package / "__main__.py").write_text(SERVER)
        for folder in (self.wheels, self.root / "requirements", self.folder / "programs"):
            folder.mkdir()
        digest = hashlib.sha256(make_wheel(self.folder).read_bytes()).hexdigest()
        lock = f"tiny-need==1.0 \\\n    --hash=sha256:{digest}\n"
        (self.root / "requirements" / "core.lock").write_text(lock)
        uv = self.folder / "programs" / "uv"
        uv.write_text(UV.format(folder=self.folder))
        uv.chmod(0o755)

    def put_wheel(self) -> None:
        """Make the wheel available."""
        shutil.copy(self.folder / WHEEL, self.wheels)

    def upgrade(self) -> None:
        """Become another version, as an update in place does."""
        (self.root / "server" / "ml_orchestrator" / "__init__.py").write_text('"""Newer."""\n')

    @property
    def environments(self) -> set[str]:
        """Names of the environments that exist."""
        return {path.name for path in self.data.glob("env-*")}

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),
            "PATH": str(self.folder / "programs"),
            "CLAUDE_PLUGIN_DATA": str(self.data),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }

    @property
    def command(self) -> list[str]:
        launcher = self.root / "bin" / "ml-orchestrator-launch"
        return [sys.executable, "-I", "-S", str(launcher)]

    def start(self, *prefix: str) -> RawClient:
        """Start the launcher for a client of its own."""
        return RawClient([*prefix, *self.command], self.environ, self.folder)


def make_wheel(folder: Path, name: str = WHEEL) -> Path:
    """Write the smallest wheel there can be."""
    module = name.partition("-")[0]
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return folder / name
