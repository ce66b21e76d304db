"""How this program is called in a terminal of this machine, for texts that name a command."""

import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["program"]

_NAME = "ml-orchestrator"


def program() -> str:
    """Return its name, or its whole path where the name alone is not found or is another's.

    The plug-in's environment, for one, is on nobody's ``PATH``.
    """
    ours = Path(sys.prefix, "bin", _NAME)
    found = shutil.which(_NAME)
    if not ours.exists():
        return _NAME if found else f"{shlex.quote(sys.executable)} -m ml_orchestrator"
    return _NAME if found and ours.samefile(found) else shlex.quote(str(ours))
