"""Files that an MLflow server keeps, fetched within limits, whatever it lists or sends."""

import posixpath
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from ml_orchestrator.errors import IntegrityViolationError, NotFoundError, UnavailableError
from ml_orchestrator.storage._mlflow.answers import MAX_ANSWER_S, pieces, whole
from ml_orchestrator.storage.artifacts import is_plain

__all__ = ["fetch_file", "fetch_tree"]

MAX_FOLDERS = 200
MAX_TREE_S = 3_600.0


def fetch_file(location: str, name: str, *, tracking_uri: str, limit_bytes: int) -> bytes:
    """Return the file ``name`` that a server keeps below ``location``.

    Raises:
        NotFoundError: there is none.
        IntegrityViolationError: it has more than ``limit_bytes``.
        UnavailableError: the server does not hand it out, or not in time.
    """
    served = MlflowArtifactsRepository(location, tracking_uri=tracking_uri)
    until = time.monotonic() + MAX_ANSWER_S
    content = whole(_parts(served.artifact_uri, name, until), limit_bytes)
    if content is None:
        raise IntegrityViolationError(
            f"{name!r} has more than {limit_bytes} bytes; no more are fetched."
        )
    return content


def fetch_tree(
    location: str, destination: Path, *, tracking_uri: str, max_files: int, max_bytes: int
) -> None:
    """Fetch all files that a server keeps below ``location`` into ``destination``.

    Raises:
        IntegrityViolationError: a name that leaves the directory or stands for two things, or
            too much.
        UnavailableError: the server does not hand a file out, or not in time.
        OSError: a file cannot be written.
    """
    served = MlflowArtifactsRepository(location, tracking_uri=tracking_uri)
    until, left_bytes = time.monotonic() + MAX_TREE_S, max_bytes
    for name in _names(served, max_files, until):
        target = destination / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("xb") as file:
            for part in _parts(served.artifact_uri, name, until):
                left_bytes -= len(part)
                if left_bytes < 0:
                    raise IntegrityViolationError(
                        f"The model has more than {max_bytes} bytes; no more are fetched."
                    )
                file.write(part)


def _names(served: MlflowArtifactsRepository, max_files: int, until: float) -> list[str]:
    """Return every file's path, walking a listing that may lie or have no end."""
    pending: list[str | None] = [None]
    files: list[str] = []
    folders: list[str] = []
    while pending:
        folder = pending.pop()
        for entry in served.list_artifacts(folder):  # type: ignore[no-untyped-call]
            if entry.path != folder:
                (folders if entry.is_dir else files).append(_plain(entry.path))
                pending += [entry.path] if entry.is_dir else []
        if len(files) > max_files:
            raise IntegrityViolationError(f"The model has more than {max_files} files.")
        if len(folders) >= MAX_FOLDERS:
            raise IntegrityViolationError(f"The model has more than {MAX_FOLDERS} folders.")
        if time.monotonic() > until:
            raise UnavailableError("MLflow's server lists its files too slowly; given up.")
    _must_be_a_tree(files, folders)
    return files


def _plain(name: object) -> str:
    if not isinstance(name, str) or not is_plain(name):
        raise IntegrityViolationError(
            f"MLflow lists a file with an odd name, {str(name)[:80]!r}; refused."
        )
    return name


def _must_be_a_tree(files: list[str], folders: list[str]) -> None:
    everything = Counter([*files, *folders])
    if twice := next((name for name, n in everything.items() if n > 1), None):
        raise IntegrityViolationError(f"MLflow lists {twice[:80]!r} twice; refused.")
    above = {str(parent) for name in everything for parent in PurePosixPath(name).parents}
    if both := above.intersection(files):
        raise IntegrityViolationError(
            f"MLflow lists {min(both)[:80]!r} as a file and as a folder; refused."
        )


def _parts(address: str, name: str, until: float) -> Iterator[bytes]:
    """Give the content of one file; its announced size is not believed."""
    endpoint = posixpath.join("/", name)
    login = get_default_host_creds(address)  # type: ignore[no-untyped-call]
    with http_request(login, endpoint, "GET", stream=True) as answer:  # type: ignore[no-untyped-call]
        if answer.status_code == 404:
            raise NotFoundError(f"MLflow's server has no file {name!r}.")
        if answer.status_code != 200:
            raise UnavailableError(
                f"MLflow did not hand {name!r} out (status {answer.status_code})."
            )
        yield from pieces(answer, until=until)
