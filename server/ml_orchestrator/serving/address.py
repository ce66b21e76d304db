"""Where the running server of a model is: a file in the data directory, for its owner only."""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.storage.whole_files import write_whole

__all__ = [
    "Address",
    "find_address",
    "only_server",
    "read_addresses",
    "remove_address",
    "write_address",
]

SAME_START_S = 0.05


@dataclass(frozen=True, slots=True)
class Address:
    """One running server. The token lets its holder change what the server does."""

    model: str
    url: str
    pid: int
    started_at: float  # seconds since 1970, as the system tells it
    token: str = field(repr=False)

    @property
    def is_alive(self) -> bool:
        """Whether that very process is still there; a pid alone may be another's by now.

        One that has ended counts as gone, also while nobody has taken its exit status.
        """
        try:
            process = psutil.Process(self.pid)
            has_ended = process.status() == psutil.STATUS_ZOMBIE
            started_at = process.create_time()
        except psutil.NoSuchProcess:
            return False
        return not has_ended and abs(started_at - self.started_at) < SAME_START_S


def write_address(home: Path, address: Address) -> None:
    """Write the file as a whole, readable by its owner only."""
    write_whole(_path(home, address.model), json.dumps(asdict(address)))


def read_addresses(home: Path) -> list[Address]:
    """Return what the files say, dead servers too; a file that cannot be read is left out."""
    found = (_read(path) for path in sorted(home.glob("serving/*.json")))
    return [address for address in found if address is not None]


def _read(path: Path) -> Address | None:
    try:
        return Address(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def find_address(home: Path, model: str) -> Address | None:
    """Return the running server of a model; the file of a dead one counts for nothing."""
    address = _read(_path(home, model))
    return address if address is not None and address.is_alive else None


def remove_address(home: Path, address: Address) -> None:
    """Remove the file, unless another server has written its own by now."""
    if find_address(home, address.model) == address:
        with contextlib.suppress(FileNotFoundError):
            _path(home, address.model).unlink()


@contextmanager
def only_server(home: Path, model: str) -> Iterator[None]:
    """Be the one server of a model in this data directory; it ends with the process.

    Raises:
        ConflictError: there is one already.
    """
    lock = FileLock(_path(home, model).with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        there = find_address(home, model)
        where = f"at {there.url}, process {there.pid}" if there else "about to start"
        raise ConflictError(
            f"{model!r} has a server already, {where}. Stop it first, or use it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _path(home: Path, model: str) -> Path:
    if Path(model).name != model or model.startswith("."):
        raise InvalidInputError(f"{model[:80]!r} is not the name of a model.")
    folder = home / "serving"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{model}.json"
