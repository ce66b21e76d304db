"""Can the data directory be used, and are the secrets in it for its owner only?"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note
from ml_orchestrator.storage.home import LOW_SPACE_BYTES

__all__ = ["check_directory", "check_file_system", "check_keys", "file_system_of"]

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "9p", "afs", "ceph", "glusterfs", "lustre",
     "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "webdav", "fuse.glusterfs", "beegfs"}
)  # fmt: skip
_ELSEWHERE = "set ML_ORCHESTRATOR_HOME to another directory"
MOUNTS = Path("/proc/mounts")


def check_directory(patient: Patient) -> Iterator[Finding]:
    """Look at whether the data directory can be written and has room."""
    home = patient.home
    try:
        there = next(path for path in (home, *home.parents) if path.exists())
    except PermissionError as error:
        do = f"Let {_user()} into the folders above it, or {_ELSEWHERE}."
        yield fault("data directory", f"{error.filename} cannot be looked at.", do)
        return
    if not there.is_dir():
        yield fault("data directory", f"{there} is a file.", f"Move it away, or {_ELSEWHERE}.")
        return
    if not os.access(there, os.W_OK | os.X_OK) or _is_mounted_for_reading(there):
        do = f"Make it writable for {_user()}, or {_ELSEWHERE}."
        yield fault("data directory", f"{there} cannot be written.", do)
        return
    free = shutil.disk_usage(there).free
    if free < LOW_SPACE_BYTES:
        said = f"Only {free / 1e6:.0f} MB are free for {home}."
        do = f"Free {LOW_SPACE_BYTES / 1e6:.0f} MB or more, or {_ELSEWHERE}."
        yield fault("data directory", said, do)
    elif there != home:
        yield fine("data directory", f"{home} will be made on first use.")
    else:
        yield fine("data directory", f"{home} is writable, {free / 1e9:.1f} GB free.")
    if there == home and (others := _open_to_others(home)):
        do = f"chmod 700 {home}"
        yield fault("data directory", f"{home} is open to others ({others}).", do)


def check_file_system(patient: Patient) -> Iterator[Finding]:
    """Look at whether SQLite can lock there; over a network it often cannot."""
    kind = file_system_of(patient.home, _mounts())
    if kind is None:
        yield note("file system", "This system does not say where the data directory lies.")
    elif kind in NETWORK:
        said = f"{patient.home} lies on a network file system ({kind}), where SQLite locks badly."
        do = (
            "Give each machine a data directory of its own, on a local disk, and share by "
            "ML_ORCHESTRATOR_DATABASE_URL (Postgres) and MLFLOW_TRACKING_URI."
        )
        yield fault("file system", said, do)
    else:
        yield fine("file system", f"{kind}, on this machine.")


def file_system_of(path: Path, mounts: Mapping[str, str]) -> str | None:
    """Return the kind of file system that ``path`` is or would be on.

    Args:
        path: Absolute; it need not exist.
        mounts: Kinds by mount point.
    """
    real = path.resolve()
    on = (str(folder) for folder in (real, *real.parents))
    return next((mounts[folder] for folder in on if folder in mounts), None)


def _mounts() -> dict[str, str]:
    if not MOUNTS.exists():
        return {}
    rows = (line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines())
    return {row[1].replace(r"\040", " "): row[2] for row in rows}


def check_keys(patient: Patient) -> Iterator[Finding]:
    """Look at whether keys and tokens are there for their owner only."""
    configured = patient.settings.signing_key
    if configured is not None and not configured.is_file():
        said = f"ML_ORCHESTRATOR_SIGNING_KEY names {configured}, and there is no such file."
        yield fault("keys", said, "Put the key there, or unset the variable.")
    secret = [configured or patient.home / "keys" / "signing.pem"]
    secret += sorted(patient.home.glob("serving/*.json"))
    found = [path for path in secret if path.is_file()]
    faults = [(path, others) for path in found if (others := _open_to_others(path))]
    for path, others in faults:
        yield fault("keys", f"{path} is open to others ({others}).", f"chmod 600 {path}")
    if found and not faults:
        yield fine("keys", f"{len(found)} files with secrets are for their owner only.")


def _open_to_others(path: Path) -> str:
    """Return the permissions of a path, if anybody but its owner has some."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:04o}" if mode & 0o077 else ""


def _is_mounted_for_reading(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _user() -> str:
    return f"user {os.getuid()}"
