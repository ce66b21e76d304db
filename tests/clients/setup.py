"""Install the Node programs that the client tests drive into ``.node/`` at the repository root.

Exit status: 0 when they are there, 1 when the installation failed, 2 on a wrong argument, 3 when
npm is absent, cannot reach its registry, or this machine is not Linux on x86-64.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / ".node"
STAMP = "installed.sha256"
LOG = "npm.log"
LIMIT_S = 400
HEARTBEAT_S = 10
FAILED, UNREACHABLE = 1, 3

# npm gets an empty home and, of our variables, only what it takes to reach its registry.
_PASSED_ON = (
    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "NPM_CONFIG_REGISTRY",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_NETWORK_CODES = (
    "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH",
    "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT", "FETCH_ERROR", "SELF_SIGNED_CERT", "UNABLE_TO_",
    "E401", "E403", "E502", "E503", "E504",
)  # fmt: skip


class SetupError(Exception):
    """The clients could not be installed; ``status`` is the exit status that says why."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def wanted_stamp() -> str:
    """Return the digest that the stamp of a current installation holds."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()


def is_installed(target: Path = TARGET) -> bool:
    """Say whether ``target`` holds what the lock file names."""
    stamp = target / STAMP
    return stamp.is_file() and stamp.read_text() == wanted_stamp()


def install(target: Path = TARGET, *, environ: Mapping[str, str] = os.environ) -> None:
    """Install from the lock file into ``target`` unless that has been done.

    Safe to call from several processes at once: one installs, the others wait for it.

    Raises:
        SetupError: npm is absent, found no registry, took too long or failed.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SetupError("The client tests need Linux on x86-64.", status=UNREACHABLE)
    with _exclusive(target):
        if is_installed(target):
            return _say("already there")
        npm = shutil.which("npm", path=environ.get("PATH", ""))
        if npm is None:
            raise SetupError("npm is not on PATH; install Node.js.", status=UNREACHABLE)
        (target / STAMP).unlink(missing_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, target / name)
        _run_npm(npm, target, environ)
        (target / STAMP).write_text(wanted_stamp())
        return _say(f"installed into {target}")


@contextmanager
def _exclusive(target: Path) -> Iterator[None]:
    target.mkdir(exist_ok=True)
    with (target / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is installing; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_npm(npm: str, target: Path, environ: Mapping[str, str]) -> None:
    _say("npm ci; some 700 MB on disk, once")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=2"]
    path = target / LOG
    with tempfile.TemporaryDirectory() as home, path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=target,
            env=_npm_environment(npm, home, environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        status = _wait(process)
    if status is None:
        raise SetupError(f"npm did not end within {LIMIT_S} s; see {path}.", status=UNREACHABLE)
    if status != 0:
        raise _explain(status, path.read_text(errors="replace"))


def _npm_environment(npm: str, home: str, environ: Mapping[str, str]) -> dict[str, str]:
    passed_on = {name: environ[name] for name in _PASSED_ON if name in environ}
    path = f"{Path(npm).parent}:/usr/local/bin:/usr/bin:/bin"
    return {**passed_on, "HOME": home, "PATH": path, "LANG": "C.UTF-8"}


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status, or nothing if it had to be stopped at the limit."""
    for waited_s in range(0, LIMIT_S, HEARTBEAT_S):
        if waited_s:
            _say(f"still installing after {waited_s} s")
        try:
            return process.wait(HEARTBEAT_S)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
    return None


def _explain(status: int, log: str) -> SetupError:
    tail = "\n".join(log.splitlines()[-15:])
    if any(code in log for code in _NETWORK_CODES):
        return SetupError(f"npm cannot reach its registry:\n{tail}", status=UNREACHABLE)
    return SetupError(f"npm ci ended with status {status}:\n{tail}", status=FAILED)


def _say(text: str) -> None:
    print(f"test clients: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Install and return the exit status."""
    if len(sys.argv) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        install()
    except SetupError as error:
        _say(str(error))
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
