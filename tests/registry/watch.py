"""Sees what code does while models of other hands are looked at: an audit hook, added once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_DEEDS = frozenset(
    {
        "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
        "subprocess.Popen", "socket.connect", "socket.getaddrinfo", "socket.sendto",
        "ctypes.dlopen", "webbrowser.open", "urllib.Request", "pty.spawn", "shutil.unpack_archive",
    }
)  # fmt: skip
_seen: list[tuple[str, str]] | None = None
_is_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event in _DEEDS or event == "pickle.find_class":
        _seen.append((event, repr(arguments)[:200]))
    elif event == "open" and isinstance(arguments[0], str | bytes | Path):
        _seen.append(
            (
                _kind(arguments),
                str(
                    Path(
                        arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
                    ).absolute()
                ),
            )
        )
    elif event == "import":
        _seen.append((event, str(arguments[0])))


def _kind(arguments: tuple[Any, ...]) -> str:
    mode, flags = arguments[1], arguments[2]
    writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return "write" if writes or (isinstance(flags, int) and flags & 0b11) else "read"


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """Give the list to which deeds, opened files and imports of this process are added."""
    global _seen, _is_hooked  # noqa: PLW0603 a hook cannot be taken out again
    if not _is_hooked:
        sys.addaudithook(_hook)
        _is_hooked = True
    found: list[tuple[str, str]] = []
    _seen = found
    try:
        yield found
    finally:
        _seen = None


def deeds(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What no reader of a model may do at all."""
    return [(event, what) for event, what in found if event in _DEEDS]


def opened(found: list[tuple[str, str]], kind: str) -> list[Path]:
    """The files that were opened, to ``read`` or to ``write``."""
    return [Path(what) for event, what in found if event == kind]
