"""How an extra of this package is installed: into the environment that runs us, and no other."""

import shlex
import sys
from importlib.util import find_spec

from ml_orchestrator import __version__

__all__ = ["DISTRIBUTION", "pip_install", "this_release"]

DISTRIBUTION = "ml-orchestrator-mcp"
"""The name that this package is installed by."""


def this_release(extra: str) -> str:
    """Return what is to be installed for an extra: that of the release at work, no newer one."""
    return f"{DISTRIBUTION}[{extra}]=={__version__}"


def pip_install(extra: str) -> str:
    """Return the command that installs an extra for the interpreter at work here.

    An environment that uv made has no pip of its own; uv then installs into it.
    """
    what = f"'{this_release(extra)}'"
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:
        return f"uv pip install --python {python} {what}"
    return f"{python} -m pip install {what}"
