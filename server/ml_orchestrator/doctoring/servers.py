"""Can the servers that the settings name be reached, and do their clocks agree with ours?"""

import configparser
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

from ml_orchestrator.doctoring.asking import ANSWER_S, basic, get, read_place, tls
from ml_orchestrator.doctoring.findings import Finding, Patient, fault, fine, note
from ml_orchestrator.telemetry.switch import read_switch

__all__ = ["check_collector", "check_mlflow", "check_postgres"]

MAX_SKEW_S = 30.0
_CLOCK = "Set both clocks by NTP: leases, ages and cool-downs compare times of both."
_ESCAPE = "In a login, write / as %2F, @ as %40, : as %3A and % as %25."
_OTLP = "OTEL_EXPORTER_OTLP_"
_NAME, _PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def check_mlflow(patient: Patient) -> Iterator[Finding]:
    """Look at the MLflow server, if there is one, with the login and trust MLflow would use."""
    settings = patient.settings
    for uri in dict.fromkeys((settings.mlflow_tracking_uri, settings.mlflow_registry_uri)):
        if uri.startswith(("http://", "https://")):
            yield from _about_server(uri, patient.environ)


def _login(environ: Mapping[str, str]) -> str | None:
    """Return the login: name and password go before a token, as in MLflow."""
    kept = _credentials(environ)
    name = environ.get(_NAME) or kept.get(_NAME.lower())
    password = environ.get(_PASSWORD) or kept.get(_PASSWORD.lower())
    if name and password:
        return basic(name, password)
    token = environ.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None


def _credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return what MLflow's file of logins holds."""
    read = configparser.ConfigParser()
    read.read(Path(environ.get("HOME") or "~").expanduser() / ".mlflow" / "credentials")
    return dict(read["mlflow"]) if "mlflow" in read else {}


def _trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    is_insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    bundle = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    if is_insecure and bundle is not None:
        raise ValueError("MLflow takes one of the two variables only")
    return tls(bundle, is_checked=not is_insecure)


def _about_server(uri: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    shown = read_place(uri)
    if shown is None:
        do = "Set MLFLOW_TRACKING_URI to scheme, host and port, as https://host:5000."
        yield fault("mlflow", "The address of the MLflow server cannot be read.", do)
        return
    try:
        login, trust = _login(environ), _trust(environ)
    except configparser.Error:
        do = f"Correct the file: a section [mlflow] with {_NAME.lower()} and {_PASSWORD.lower()}."
        yield fault("mlflow", "~/.mlflow/credentials cannot be read.", do)
        return
    except (OSError, ValueError):
        do = "Set one of the two, the second to a file of certificates that can be read."
        said = "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH cannot be used."
        yield fault("mlflow", said, do)
        return
    answer = get(f"{shown.rstrip('/')}/health", login, trust)
    if isinstance(answer, str):
        said = f"The MLflow server {shown} cannot be reached: {answer}."
        yield fault("mlflow", said, "Start it, or correct MLFLOW_TRACKING_URI or the network.")
        return
    yield from _about_answer(shown, *answer)


def _about_answer(shown: str, status: int, headers: Mapping[str, str]) -> Iterator[Finding]:
    if status in (401, 403):
        do = "Set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN."
        yield fault("mlflow", f"The MLflow server {shown} wants another login ({status}).", do)
    elif status >= 400:
        do = "Is it an MLflow server, and the address without a path behind it?"
        yield fault("mlflow", f"The MLflow server {shown} answers {status}.", do)
    elif status >= 300:
        do = "Set MLFLOW_TRACKING_URI to the server's own address (https instead of http?)."
        said = f"The MLflow server {shown} sends on to another address ({status})."
        yield fault("mlflow", f"{said} The login was not sent there.", do)
    else:
        yield fine("mlflow", f"The MLflow server {shown} answers.")
        yield from _clock("the MLflow server", _date(headers))


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
    read = _read_url(patient.settings.state_url)
    if read is None:
        yield fault("postgres", "ML_ORCHESTRATOR_DATABASE_URL cannot be read.", _ESCAPE)
        return
    url, where = read
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


def _read_url(url: str) -> tuple[str, str] | None:
    """Return a database's address as psycopg takes it and as it may be shown, None if neither."""
    from sqlalchemy import make_url  # noqa: PLC0415 SQLAlchemy is large
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        made = make_url(url).set(drivername="postgresql")
    except (ArgumentError, ValueError):
        return None
    shown = made.set(query={}).render_as_string(hide_password=True)  # a query may hold a password
    return made.render_as_string(hide_password=False), shown


def check_collector(patient: Patient) -> Iterator[Finding]:
    """Look at the collectors of the signals that are sent, each once."""
    switch, environ = read_switch(patient.environ), patient.environ
    signals = {"TRACES": switch.traces, "METRICS": switch.metrics}
    common = environ.get(f"{_OTLP}ENDPOINT") or "http://localhost:4318"
    urls: dict[str, str] = {}
    for signal in (signal for signal, is_sent in signals.items() if is_sent):
        own = environ.get(f"{_OTLP}{signal}_ENDPOINT")
        urls.setdefault(own or common, f"{_OTLP}{signal}_ENDPOINT" if own else f"{_OTLP}ENDPOINT")
    for url, variable in urls.items():
        yield _about_collector(url, variable)


def _about_collector(url: str, variable: str) -> Finding:
    place = read_place(url)
    if place is None:
        return fault("telemetry", f"The address in {variable} cannot be read.", _ESCAPE)
    answer = get(place)  # any will do: its paths take POST only
    if isinstance(answer, str):
        do = f"Start it, correct {variable}, or set OTEL_SDK_DISABLED=true."
        return fault("telemetry", f"The collector {place} cannot be reached: {answer}.", do)
    if 300 <= answer[0] < 400:
        said = f"The collector {place} sends on to another address ({answer[0]})."
        return note("telemetry", said, f"Does what is sent arrive? Else correct {variable}.")
    return fine("telemetry", f"The collector {place} answers.")
