"""The environment of the processes that are started here: ours, scrubbed, plus the settings."""

import os
from collections.abc import Mapping

from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.switch import read_switch

__all__ = ["child_environment"]

# What a child process may see of our environment: where things are, how to speak and how many
# threads to use. API keys and tokens of the client are not on the list.
_CHILD_NAMES = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LANGUAGE",
    "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONPATH", "PYTHONHASHSEED",
    "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
}  # fmt: skip
# What it takes to reach an MLflow server, or a collector of telemetry; passed on only if one is
# used. The headers of OTEL_EXPORTER_OTLP_ are a login, too.
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
_SERVER_NAMES = {
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH", *_PROXIES,
}  # fmt: skip
_TELEMETRY_NAMES = {"OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"}
_TELEMETRY_PREFIXES = (
    "OTEL_EXPORTER_OTLP_", "OTEL_TRACES_", "OTEL_METRICS_", "OTEL_METRIC_EXPORT_", "OTEL_BSP_",
    "OTEL_SPAN_", "OTEL_ATTRIBUTE_",
)  # fmt: skip
# What it takes to join a Ray cluster that wants a token or TLS.
_RAY_NAMES = {
    "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USE_TLS", "RAY_TLS_SERVER_CERT",
    "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT",
}  # fmt: skip
_CHILD_PREFIXES: tuple[str, ...] = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "POLARS_", "MPL", "XDG_")


def child_environment(
    settings: Settings, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a child process: ours, scrubbed, plus the settings.

    Only names known to be harmless pass, so keys and tokens of the client stay here; the login
    of an MLflow server, a collector of telemetry or a Ray cluster passes if one is used. Files in
    the working directory, which may have come with a project, are no modules of it.
    """
    environ = os.environ if environ is None else environ
    names, prefixes = set(_CHILD_NAMES), _CHILD_PREFIXES
    addresses = (settings.mlflow_tracking_uri, settings.mlflow_registry_uri)
    if any(address.startswith(("http://", "https://")) for address in addresses):
        names |= _SERVER_NAMES
    if settings.ray_address is not None:
        names |= _RAY_NAMES
    if read_switch(environ).is_on:
        names |= _TELEMETRY_NAMES | _PROXIES
        prefixes += _TELEMETRY_PREFIXES
    kept = {
        name: value for name, value in environ.items() if name in names or name.startswith(prefixes)
    }
    return {**kept, **settings.to_environment(), "PYTHONSAFEPATH": "1"}
