"""Peers live in environments of their own, made on first use."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

__all__ = ["peer_node", "peer_python"]

FOLDER = Path(__file__).parent / ".peers"


def peer_python(name: str, *requirements: str) -> Path | None:
    """Return the Python of a peer's environment; None, said aloud, if it cannot be installed."""
    home = FOLDER / name
    python = home / "bin" / "python"
    if not (home / ".installed").exists():
        venv.create(home, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    return python if _installed(home, install) else None


def peer_node(name: str, package: str) -> Path | None:
    """Return the folder of a peer's npm package; None, said aloud, if it cannot be installed."""
    home = FOLDER / name
    home.mkdir(parents=True, exist_ok=True)
    install = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(home), package]
    return home / "node_modules" / package if _installed(home, install) else None


def _installed(home: Path, command: Sequence[str]) -> bool:
    """Whether a peer is installed; runs the command if it was not before."""
    done = home / ".installed"
    if done.exists():
        return True
    print(f"Installing the peer {home.name} (once)", file=sys.stderr)
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        print(f"{home.name} cannot be installed here: {said[-1]}", file=sys.stderr)
        return False
    done.touch()
    return True
