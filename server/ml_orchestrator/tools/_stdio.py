"""Standard input and output as lines, without a thread in between.

mcp 2.3 reads and writes each line in a worker thread, three of them a call, and handing over to
a thread costs more than most of our tools do. Here the event loop itself waits for the
descriptors. It is never held up: it reads what has come and writes what there is room for.
"""

import asyncio
import errno
import os
import select
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import anyio
import anyio.lowlevel
from anyio.to_thread import run_sync

if sys.platform != "win32":
    import fcntl
    import termios

__all__ = ["Lines", "LinesOut", "standard_lines"]

CHUNK_BYTES = 65_536
STDIN, STDOUT, STDERR = 0, 1, 2
_ENDS = (errno.ECONNRESET, errno.EIO)  # the other side, or the terminal, is gone


class Lines:
    """Lines that come from a descriptor, as text; bytes that are no UTF-8 are replaced.

    One task reads them. ``close`` before the descriptor is: the event loop watches it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._can_be_watched = True
        self._watching: asyncio.AbstractEventLoop | None = None
        self._chunk: bytes | OSError | None = None  # what has come and nobody has taken yet
        self._awaited: asyncio.Future[None] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        """Give each line as it is complete, and at the end what is left."""
        parts: list[bytes] = []
        try:
            while chunk := await self._read():
                *ended, rest = chunk.split(b"\n")
                for line in ended:
                    yield b"".join([*parts, line]).decode(errors="replace")
                    parts.clear()
                parts.append(rest)
        finally:
            self.close()
        if left := b"".join(parts):
            yield left.decode(errors="replace")

    def close(self) -> None:
        """Watch the descriptor no more."""
        if self._watching is not None:
            self._watching.remove_reader(self._descriptor)
            self._watching = None

    async def _read(self) -> bytes:
        """Return what has come; nothing at the end. A file is always there, so a thread reads."""
        if self._can_be_watched:
            try:
                self._watch()
            except PermissionError:  # epoll takes no plain files
                self._can_be_watched = False
        if not self._can_be_watched:
            return await run_sync(os.read, self._descriptor, CHUNK_BYTES, abandon_on_cancel=True)
        while self._chunk is None:
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        chunk, self._chunk = self._chunk, None
        if isinstance(chunk, OSError):
            raise chunk
        return chunk

    def _watch(self) -> None:
        """Be told of what comes, until more comes than is taken."""
        if self._watching is None and self._chunk is None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._descriptor, self._take)
            self._watching = loop

    def _take(self) -> None:
        """Read once; what comes while that waits stays where it is."""
        if self._chunk is not None:
            self.close()
            return
        try:
            self._chunk = os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:  # somebody who has it too made it so, and was faster
            return
        except OSError as error:
            self._chunk = b"" if error.errno in _ENDS else error
        if not self._chunk or isinstance(self._chunk, OSError):
            self.close()
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)


class LinesOut:
    """Text on its way to a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._capacity = _capacity_of(descriptor)
        self._unwritten = bytearray()

    def take(self, text: str) -> None:
        """Take text; ``flush`` sends it."""
        self._unwritten += text.encode()

    def write_at_once(self, text: str) -> bool:
        """Take text and send what there is room for; whether that was all.

        What is left, also because the reader is gone, is sent, or told, by ``flush``.
        """
        is_first = not self._unwritten
        self.take(text)
        n_written = 0
        with suppress(OSError):  # flush meets it again
            while is_first and self._unwritten and n_written < CHUNK_BYTES and self._poll.poll(0):
                n_written += self._write_some()
        return not self._unwritten

    async def flush(self) -> None:
        """Send what was taken; wait, without holding up others, while the reader has enough.

        A pipe that is ready takes PIPE_BUF bytes at once without waiting (POSIX).
        """
        n_since = 0
        while self._unwritten:
            if not self._poll.poll(0):
                await anyio.wait_writable(self._descriptor)
            try:
                n_since += self._write_some()
            except BlockingIOError:
                await anyio.wait_writable(self._descriptor)
                continue
            if n_since >= CHUNK_BYTES:
                n_since = 0
                await anyio.lowlevel.checkpoint()

    def _write_some(self) -> int:
        n_written = os.write(self._descriptor, self._unwritten[: self._room()])
        del self._unwritten[:n_written]
        return n_written

    def _room(self) -> int:
        """Return how many bytes what is ready takes without waiting: of an empty pipe, all."""
        if self._capacity and not int.from_bytes(
            fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)), sys.byteorder
        ):
            return self._capacity
        return select.PIPE_BUF


def _capacity_of(descriptor: int) -> int:
    """Return how many bytes an empty pipe holds; 0 if it is none, or cannot say."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)  # Linux alone has it
    except (AttributeError, OSError):
        return 0


@contextmanager
def standard_lines() -> Iterator[tuple[Lines, LinesOut]]:
    """Give the lines of standard input, and the way to write some to standard output.

    Meanwhile descriptor 0 is empty and descriptor 1 is standard error, so that neither a
    ``print`` nor a process that we start can get between the lines. Not on Windows.
    """
    with _claimed(STDIN, os.devnull) as heard, _claimed(STDOUT, None) as said:
        lines = Lines(heard)
        try:
            yield lines, LinesOut(said)
        finally:
            lines.close()


@contextmanager
def _claimed(descriptor: int, instead: str | None) -> Iterator[int]:
    """Give a standard stream under another number, and put a file, or standard error, there."""
    own = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)
    other = os.dup(STDERR) if instead is None else os.open(instead, os.O_RDONLY)
    os.dup2(other, descriptor)
    os.close(other)
    try:
        yield own
    finally:
        os.dup2(own, descriptor)
        os.close(own)
