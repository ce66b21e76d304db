"""Files that are there whole or not at all: written beside their place, then put there.

All are readable by their owner only. Folders must exist. What is left of a writer that was killed
is a file beside the place whose name begins with a dot and ends in ``.draft``.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["create_lasting", "write_lasting", "write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8; what it held is replaced, and no reader sees a part.

    When the machine itself fails soon afterwards, the content may be lost: ``write_lasting``.

    Raises:
        OSError: the disk does not take it; the file is as it was.
    """
    with _draft(path, content, settle=lambda _: None) as draft:
        draft.replace(path)


def write_lasting(path: Path, content: str | bytes) -> None:
    """Write a file as ``write_whole`` does, on the disk before this returns.

    The content is there before it takes the name, and the name when this returns.

    Raises:
        OSError: the disk does not take it; the file is as it was, or, where the disk took the
            content and not the name, it may be so again after a failure of the machine.
    """
    with _draft(path, content, settle=os.fsync) as draft:
        draft.replace(path)
        _settle_names(path.parent)


def create_lasting(path: Path, content: str | bytes) -> None:
    """Write a file as ``write_lasting`` does, but never over another.

    Raises:
        FileExistsError: there is one already; it is as it was.
        OSError: the disk does not take it; nothing is left, or, where it took the content and not
            the name, the file, until the machine fails.
    """
    with _draft(path, content, settle=os.fsync) as draft:
        os.link(draft, path)  # unlike a rename, it never replaces
        _settle_names(path.parent)


def _settle_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, if its file system knows how to."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextmanager
def _draft(path: Path, content: str | bytes, *, settle: Callable[[int], None]) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".draft")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            settle(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
