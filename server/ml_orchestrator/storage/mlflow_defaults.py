"""What MLflow is told before it is imported, unless the person's environment says otherwise."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["mlflow_defaults"]

_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",  # read when mlflow is imported
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_CONFIGURE_LOGGING": "false",  # ours goes to stderr, structured
        # A server could name any address of this network, and have it asked from here.
        "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # with 7 a dead server is noticed after minutes
    }
)


def mlflow_defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is not set yet. MLflow reads the last ones at each request (3.17)."""
    return {name: value for name, value in _DEFAULTS.items() if name not in environ}
