"""How this program is called in a terminal of this machine, for texts that name a command."""

import os
import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["program"]

_NAME = "ml-orchestrator"
_HEAD_BYTES = 4_096  # of a script, more than its first lines have


def program() -> str:
    """Return its name, or its whole path where the name alone is not found or is another's.

    The plug-in's environment, for one, is on nobody's ``PATH``. Its next update removes it, while
    texts are kept, so there the path is that of the link which the launcher keeps up to date.
    """
    ours = _ours()
    found = shutil.which(_NAME)
    if ours is None:
        bare = found and _begins_our_python(Path(found))
        return _NAME if bare else f"{shlex.quote(sys.executable)} -m ml_orchestrator"
    return _NAME if found and ours.samefile(found) else shlex.quote(str(ours))


def _ours() -> Path | None:
    prefix = Path(sys.prefix)
    places = [prefix / "bin" / _NAME]
    if prefix.name == "venv" and prefix.parent.name.startswith("env-"):
        places.insert(0, prefix.parents[1] / "bin" / _NAME)
    return next((place for place in places if place.exists()), None)


def _begins_our_python(script: Path) -> bool:
    """Whether a script runs this interpreter: by itself or, as a long path needs, by a shell."""
    try:
        with script.open("rb") as file:
            lines = os.fsdecode(file.read(_HEAD_BYTES)).splitlines()
        if not lines or not lines[0].startswith("#!"):
            return False
        words = shlex.split(lines[0].removeprefix("#!"))
        if words == ["/bin/sh"]:
            words = shlex.split(lines[1])[1:]  # exec PYTHON ...
        return words[0] == sys.executable
    except (OSError, ValueError, IndexError):
        return False
