"""Can the servers that the settings name be reached, and do their clocks agree with ours?"""

import base64
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine
from ml_orchestrator.telemetry.switch import read_switch

__all__ = ["check_collector", "check_mlflow", "check_postgres"]

ANSWER_S = 3.0
MAX_SKEW_S = 30.0
_CLOCK = "Set both clocks by NTP: leases, ages and cool-downs compare times of both."


def check_mlflow(patient: Patient) -> Iterator[Finding]:
    """Look at the MLflow server, if there is one."""
    settings = patient.settings
    for uri in dict.fromkeys((settings.mlflow_tracking_uri, settings.mlflow_registry_uri)):
        if uri.startswith(("http://", "https://")):
            yield from _about_server(uri, _login(patient.environ))


def _login(environ: Mapping[str, str]) -> dict[str, str]:
    if token := environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    name = environ.get("MLFLOW_TRACKING_USERNAME")
    pair = f"{name}:{environ.get('MLFLOW_TRACKING_PASSWORD', '')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"} if name else {}


def _about_server(uri: str, login: Mapping[str, str]) -> Iterator[Finding]:
    shown = _without_login(uri)
    answer = _get(f"{shown.rstrip('/')}/health", login)
    if isinstance(answer, str):
        said = f"The MLflow server {shown} cannot be reached: {answer}."
        yield fault("mlflow", said, "Start it, or correct MLFLOW_TRACKING_URI or the network.")
        return
    status, headers = answer
    if status in (401, 403):
        do = "Set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN."
        yield fault("mlflow", f"The MLflow server {shown} wants another login ({status}).", do)
    elif status >= 400:
        do = "Is it an MLflow server, and the address without a path behind it?"
        yield fault("mlflow", f"The MLflow server {shown} answers {status}.", do)
    else:
        yield fine("mlflow", f"The MLflow server {shown} answers.")
        yield from _clock("the MLflow server", _date(headers))


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]] | str:
    """Return status and headers of an answer, whatever it is, or why there is none."""
    if not url.startswith(("http://", "https://")):
        return "its address must begin with http:// or https://"
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 just checked
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 as above
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error))


def _date(headers: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _clock(whose: str, theirs: float | None) -> Iterator[Finding]:
    if theirs is None:
        return
    skew_s = theirs - time.time()
    if abs(skew_s) > MAX_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        said = f"The clock of {whose} is {abs(skew_s):.0f} s {side} this one."
        yield fault("clock", said, _CLOCK)


def check_postgres(patient: Patient) -> Iterator[Finding]:
    """Look at the Postgres that holds the state, if there is one."""
    if patient.settings.database_url is None:
        return
    try:
        import psycopg  # noqa: PLC0415 only where it is used
    except ImportError:
        return  # the check of the extras says so
    url = patient.settings.state_url.replace("postgresql+psycopg://", "postgresql://", 1)
    where = _without_login(url)
    try:
        with psycopg.connect(url, connect_timeout=int(ANSWER_S)) as connection:
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        said = f"The state database {where} cannot be used: {reason}."
        do = "Start Postgres, or correct ML_ORCHESTRATOR_DATABASE_URL (login, host, name)."
        yield fault("postgres", said, do)
        return
    yield fine("postgres", f"The state database {where} answers.")
    yield from _clock("Postgres", float(row[0]) if row else None)


def check_collector(patient: Patient) -> Iterator[Finding]:
    """Look at the collector of telemetry, if anything is sent to one."""
    environ = patient.environ
    if not read_switch(environ).is_on:
        return
    url = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318"
    shown = _without_login(url)
    answer = _get(shown, {})  # any will do: its paths take POST only
    if isinstance(answer, str):
        do = "Start it, correct OTEL_EXPORTER_OTLP_ENDPOINT, or set OTEL_SDK_DISABLED=true."
        yield fault("telemetry", f"The collector {shown} cannot be reached: {answer}.", do)
    else:
        yield fine("telemetry", f"The collector {shown} answers.")


def _without_login(url: str) -> str:
    where = urlsplit(url)
    host = where.hostname or ""
    return f"{where.scheme}://{host}{f':{where.port}' if where.port else ''}{where.path}"
