"""What child processes see of the client's environment, which holds its keys and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["installer_environment", "server_environment"]

# What would lead another interpreter astray.
_MISLEADING = {
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONEXECUTABLE",
    "PYTHONPLATLIBDIR", "PYTHONSAFEPATH", "PYTHONINSPECT", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__",
}  # fmt: skip
# The client's own: how it reaches its model, and its sessions.
_OF_THE_CLIENT = ("ANTHROPIC_", "CLAUDE_CODE_", "AWS_BEARER_TOKEN_BEDROCK")

# What it takes to find programs, to reach a package index and to write.
_FOR_INSTALLERS = {
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LANGUAGE",
    "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "NETRC", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
}  # fmt: skip
_INSTALLERS_OWN = ("LC_", "XDG_", "PIP_", "UV_", "PYENV_", "ASDF_", "MISE_")


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return all but what misleads an interpreter and what the client has for itself."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _MISLEADING and not name.startswith(_OF_THE_CLIENT)
    }


def installer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what installers need, by name; proxies also in small letters."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper() in _FOR_INSTALLERS or name.startswith(_INSTALLERS_OWN)
    }
