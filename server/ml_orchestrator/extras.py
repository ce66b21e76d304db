"""How an extra of this package is installed: into the environment that runs us, and no other."""

import shlex
import sys
from importlib.util import find_spec

__all__ = ["pip_install"]

DISTRIBUTION = "ml-orchestrator-mcp"


def pip_install(extra: str) -> str:
    """Return the command that installs an extra for the interpreter at work here.

    An environment that uv made has no pip of its own; uv then installs into it.
    """
    what = f"'{DISTRIBUTION}[{extra}]'"
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:
        return f"uv pip install --python {python} {what}"
    return f"{python} -m pip install {what}"
