"""Where drift pages are kept: each under the name of its content, the newest hundred of them."""

import hashlib
import logging
from pathlib import Path

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage.home import prepare_home
from ml_orchestrator.storage.whole_files import write_whole

__all__ = ["MOST_PAGES", "PageStore"]

MOST_PAGES = 100

_log = logging.getLogger(__name__)


class PageStore:
    """The drift pages of one data directory. Safe among threads and processes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "reports"

    def save(self, text: str) -> Path:
        """Keep a page and return its path; the same page again becomes the newest.

        Of older pages the newest 99 stay beside it.

        Raises:
            UnavailableError: the disk does not take it.
        """
        path = self._folder / f"drift-{hashlib.sha256(text.encode()).hexdigest()[:16]}.html"
        prepare_home(self._home)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, text)
        except OSError as error:
            raise UnavailableError(
                f"{path} could not be written ({error.strerror}). Free the disk or make the "
                "folder writable, then ask again; drift_check with with_plot writes nothing."
            ) from error
        self._remove_old(path)
        return path

    def _remove_old(self, written: Path) -> None:
        others = [page for page in self._folder.glob("drift-*.html") if page != written]
        for page in sorted(others, key=_written_at, reverse=True)[MOST_PAGES - 1 :]:
            try:
                page.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("An old drift page stays: %s", error)


def _written_at(page: Path) -> int:
    try:
        return page.stat().st_mtime_ns
    except OSError:
        return 0  # another process removed it meanwhile
