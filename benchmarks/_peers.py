"""Peers live in virtual environments of their own, made on first use."""

import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["peer_python"]

FOLDER = Path(__file__).parent / ".peers"


def peer_python(name: str, *requirements: str) -> Path | None:
    """Return the Python of a peer's environment; None, said aloud, if it cannot be installed."""
    home = FOLDER / name
    python = home / "bin" / "python"
    done = home / ".installed"
    if done.exists():
        return python
    print(f"Installing {' '.join(requirements)} (once)", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        reason = installed.stderr.strip().splitlines()[-1:] or ["no reason given"]
        print(f"{name} cannot be installed here: {reason[0]}", file=sys.stderr)
        return None
    done.touch()
    return python
