"""What an MLflow server or a directory hands out, within limits: a model's files, and answers."""

import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_orchestrator.errors import IntegrityViolationError, UnavailableError
from ml_orchestrator.registry.integrity import MAX_FILES, list_files
from ml_orchestrator.storage.mlflow_defaults import mlflow_defaults

os.environ.update(mlflow_defaults(os.environ))

from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.utils import request_utils
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.request_utils import TCPKeepAliveHTTPAdapter, augmented_raise_for_status
from mlflow.utils.rest_utils import http_request

__all__ = ["copy_files", "fetch_files", "limit_answers"]

MAX_MODEL_BYTES = 10_000_000_000
MAX_FOLDERS = 200
MAX_ANSWER_BYTES = 100_000_000
_CHUNK_BYTES = 1 << 20
_ANSWER_CHUNK_BYTES = 1 << 16  # small, since one may unfold to a thousand times its size
_PATH = re.compile(r"[\w@+,=-][\w@ +,=.-]*(/[\w@+,=-][\w@ +,=.-]*)*")


def copy_files(source: Path, destination: Path) -> None:
    """Copy the files below ``source``, following no link.

    Raises:
        IntegrityViolationError: a link, an odd file, or too much.
    """
    files = list_files(source)
    size_bytes = sum(path.lstat().st_size for path in files)
    if size_bytes > MAX_MODEL_BYTES:
        raise IntegrityViolationError(
            f"The model has {size_bytes} bytes; at most {MAX_MODEL_BYTES} are copied."
        )
    for path in files:
        target = destination / path.relative_to(source)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)


def fetch_files(location: str, destination: Path, *, tracking_uri: str) -> None:
    """Fetch the files that an MLflow server keeps at ``location``, whatever it lists or sends.

    Raises:
        IntegrityViolationError: a name that leaves the directory, or too much.
    """
    served = MlflowArtifactsRepository(location, tracking_uri=tracking_uri)
    left_bytes = MAX_MODEL_BYTES
    for name in _names(served):
        target = destination / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        left_bytes -= _fetch(served.artifact_uri, name, target, left_bytes)


def _names(served: MlflowArtifactsRepository) -> list[str]:
    """Return every file's path, walking a listing that may lie or have no end."""
    pending: list[str | None] = [None]
    found: list[str] = []
    for _ in range(MAX_FOLDERS):
        if not pending:
            return found
        folder = pending.pop()
        for entry in served.list_artifacts(folder):  # type: ignore[no-untyped-call]
            if entry.path != folder:
                (pending if entry.is_dir else found).append(_plain(entry.path))
        if len(found) + len(pending) > MAX_FILES:
            raise IntegrityViolationError(f"The model has more than {MAX_FILES} files.")
    raise IntegrityViolationError(f"The model has more than {MAX_FOLDERS} folders.")


def _plain(name: object) -> str:
    if not isinstance(name, str) or not _PATH.fullmatch(name):
        raise IntegrityViolationError(
            f"MLflow lists a file with an odd name, {str(name)[:80]!r}; refused."
        )
    return name


def _fetch(address: str, name: str, target: Path, limit_bytes: int) -> int:
    """Write one file and return its size; its announced size is not believed."""
    size_bytes = 0
    with target.open("xb") as file:
        for part in _parts(address, name):
            size_bytes += len(part)
            if size_bytes > limit_bytes:
                raise IntegrityViolationError(
                    f"The model has more than {MAX_MODEL_BYTES} bytes; no more are fetched."
                )
            file.write(part)
    return size_bytes


def _parts(address: str, name: str) -> Iterator[bytes]:
    endpoint = posixpath.join("/", name)
    login = get_default_host_creds(address)  # type: ignore[no-untyped-call]
    with http_request(login, endpoint, "GET", stream=True) as answer:  # type: ignore[no-untyped-call]
        augmented_raise_for_status(answer)  # type: ignore[no-untyped-call]
        if answer.status_code != 200:
            raise UnavailableError(
                f"MLflow did not hand {name!r} out (status {answer.status_code})."
            )
        yield from answer.iter_content(chunk_size=_CHUNK_BYTES)


def limit_answers() -> None:
    """Let no answer of an MLflow server that is read whole be larger than ``MAX_ANSWER_BYTES``.

    MLflow has no limit, and makes its sessions of a class that it looks up by this name (3.17).
    """
    request_utils.TCPKeepAliveHTTPAdapter = _LimitedAdapter  # type: ignore[misc]


class _LimitedAdapter(TCPKeepAliveHTTPAdapter):
    def send(self, request: Any, stream: bool = False, *rest: Any, **more: Any) -> Any:
        answer = super().send(request, stream, *rest, **more)
        if not stream:
            answer._content = _whole(answer)  # where requests keeps what was read
        return answer


def _whole(answer: Any) -> bytes:
    whole = bytearray()
    for part in answer.iter_content(_ANSWER_CHUNK_BYTES):
        whole += part
        if len(whole) > MAX_ANSWER_BYTES:
            answer.close()
            raise OSError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    return bytes(whole)
