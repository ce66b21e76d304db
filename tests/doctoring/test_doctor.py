"""The doctor, on installations that were broken on purpose."""

import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaging.requirements import Requirement
from sqlalchemy import text

from ml_orchestrator.cli import main
from ml_orchestrator.doctoring import directory, installation, processes, rounds
from ml_orchestrator.doctoring.asking import read_place, tls
from ml_orchestrator.doctoring.findings import Finding, Patient
from ml_orchestrator.doctoring.rounds import examined
from ml_orchestrator.extras import DISTRIBUTION, this_release
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.leases import Leases
from ml_orchestrator.orchestration.people import open_keyring
from ml_orchestrator.orchestration.schedules import Cadence, Schedules
from ml_orchestrator.orchestration.workers import NO_WORKER
from ml_orchestrator.orchestration.workflows import WORKFLOWS
from ml_orchestrator.serving.address import Address, write_address
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.home import prepare_home


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory with a state database."""
    made = Settings.read({}, project_dir=tmp_path)
    prepare_home(made.home)
    open_database(made.state_url, made.home).close()
    return made


def patient(settings: Settings, *, port: int | None = None, **environ: str) -> Patient:
    return within(settings, environ, port=port)


def within(settings: Settings, environ: Mapping[str, str], *, port: int | None = None) -> Patient:
    plain = {"HOME": str(settings.project_dir), "PATH": "/none"}
    return Patient(settings, {**plain, **environ}, port)


def look(check: str, seen: Patient) -> list[Finding]:
    return list(examined(seen, [check]))


def the_fault(check: str, seen: Patient) -> Finding:
    """Return the one fault; every fault says what to do."""
    (found,) = [each for each in look(check, seen) if each.state == "fault"]
    assert found.do
    return found


def test_a_sound_installation_has_no_faults_and_is_not_changed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(settings.project_dir))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = _contents(settings.home)
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(settings.home), "doctor", "--json", "--port", str(port)])

    told = json.loads(capsys.readouterr().out)
    assert (ended.value.code, told["is_well"]) == (0, True), told
    assert _contents(settings.home) == before
    checks = {each["check"] for each in told["findings"]}
    assert {"python", "packages", "data directory", "databases", "schema", "worker"} <= checks


def test_a_fault_is_told_with_what_to_do_and_by_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "doctor"])

    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert f"FAULT  data directory: {tmp_path / 'home'} is a file.\n       -> Move it" in said


def test_another_python_is_a_fault(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    found = the_fault("installation:check_python", patient(settings))
    assert (found.said[:13], found.do[:27]) == ("Python 3.10.4", "Install Python 3.11 to 3.13")


def test_missing_packages_and_those_of_another_release_are_named(tmp_path: Path) -> None:
    """A copy of this environment (by links) without one package, and with two others aged."""
    ours = Path(json.__file__).parents[1]
    packages = Path(pytest.__file__).parents[1]
    copy = tmp_path / "packages"
    copy.mkdir()
    aged = {"optuna": "4.0.0", "ml_orchestrator_mcp": "0.0.1"}
    for path in packages.iterdir():
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        if name == "skops":
            continue
        if name in aged and path.name.endswith(".dist-info"):
            shutil.copytree(path, copy / f"{name}-{aged[name]}.dist-info")
            metadata = copy / f"{name}-{aged[name]}.dist-info" / "METADATA"
            text = metadata.read_text(encoding="utf-8")
            new = text.replace(f"\nVersion: {version}", f"\nVersion: {aged[name]}")
            metadata.write_text(new, encoding="utf-8")
        else:
            (copy / path.name).symlink_to(path)
    server = Path(installation.__file__).parents[2]
    code = (
        f"import sys; sys.path[:] = {[str(server), str(copy), str(ours), *_standard()]!r}\n"
        "from ml_orchestrator.cli import main; main(['doctor', '--json'])"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    found = json.loads(ran.stdout)["findings"]
    said = " ".join(f["said"] for f in found if (f["check"], f["state"]) == ("packages", "fault"))
    assert ran.returncode == 1
    assert "Not installed: skops." in said
    assert "optuna 4.0.0 instead of" in said
    assert "the environment was made for 0.0.1" in said


def test_the_packages_looked_for_are_those_that_are_needed() -> None:
    modules = metadata.packages_distributions()
    looked_for = {name for module in installation._NEEDED for name in modules[module]}
    lines = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    needed = {line.name.lower() for line in lines if "extra" not in str(line.marker)}
    assert needed <= {name.lower() for name in looked_for}


def _standard() -> list[str]:
    return [path for path in sys.path if path and "site-packages" not in path]


def test_what_the_settings_ask_for_and_is_not_there_is_named(tmp_path: Path) -> None:
    asks = Settings.read({"ML_ORCHESTRATOR_PLUGINS": "no_such_module"}, project_dir=tmp_path)
    found = the_fault("installation:check_extras", patient(asks))
    assert "no_such_module" in found.said


def test_trials_on_a_ray_that_is_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "find_distribution", lambda _: None)
    asks = {"ML_ORCHESTRATOR_RAY_ADDRESS": "local", "ML_ORCHESTRATOR_RAY_TRIALS": "4"}
    found = the_fault(
        "installation:check_extras", patient(Settings.read(asks, project_dir=tmp_path))
    )

    assert found.said == "ML_ORCHESTRATOR_RAY_ADDRESS is set, but ray is not installed."
    assert found.do.startswith(f"{sys.executable} -m pip install ")
    assert found.do.endswith(f"'{this_release('ray')}'")


def test_trials_at_once_without_a_place_for_them_are_a_note(tmp_path: Path) -> None:
    asks = Settings.read({"ML_ORCHESTRATOR_RAY_TRIALS": "4"}, project_dir=tmp_path)
    (found,) = look("installation:check_extras", patient(asks))

    assert (found.state, found.said) == (
        "note",
        "ML_ORCHESTRATOR_RAY_TRIALS is 4, but no trial runs on Ray: ML_ORCHESTRATOR_RAY_ADDRESS is "
        "not set.",
    )
    assert "unset ML_ORCHESTRATOR_RAY_TRIALS" in found.do


def test_telemetry_that_cannot_be_spoken_is_a_note(settings: Settings) -> None:
    seen = patient(
        settings, OTEL_EXPORTER_OTLP_ENDPOINT="http://c:1", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
    )
    assert {each.state for each in look("installation:check_extras", seen)} == {"note"}


def test_a_directory_that_cannot_be_written_is_a_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert "cannot be written" in the_fault("directory:check_directory", patient(settings)).said


def test_a_full_disk_is_a_fault(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "LOW_SPACE_BYTES", 10**18)
    assert "are free" in the_fault("directory:check_directory", patient(settings)).said


def test_a_directory_open_to_others_is_a_fault(settings: Settings) -> None:
    settings.home.chmod(0o755)
    found = the_fault("directory:check_directory", patient(settings))
    assert (found.do, "0755" in found.said) == (f"chmod 700 {settings.home}", True)


def test_a_network_file_system_is_a_fault(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nfiler:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(directory, "MOUNTS", mounts)
    found = the_fault("directory:check_file_system", patient(settings))
    assert "nfs4" in found.said
    assert "ML_ORCHESTRATOR_DATABASE_URL" in found.do


def test_keys_and_tokens_that_others_can_read_are_faults(settings: Settings) -> None:
    open_keyring(settings).sign(b"content")
    key = settings.home / "keys" / "signing.pem"
    assert [each.state for each in look("directory:check_keys", patient(settings))] == ["ok"]
    key.chmod(0o644)
    assert the_fault("directory:check_keys", patient(settings)).do == f"chmod 600 {key}"


def test_a_configured_key_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    asks = Settings.read({"ML_ORCHESTRATOR_SIGNING_KEY": "/no/key.pem"}, project_dir=tmp_path)
    assert "/no/key.pem" in the_fault("directory:check_keys", patient(asks)).said


def test_a_locked_database_is_a_fault_that_names_who_has_it_open(settings: Settings) -> None:
    path = settings.home / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = the_fault("databases:check_databases", patient(settings))
    assert f"{psutil.Process().pid}" in found.said


def test_a_damaged_database_is_a_fault(settings: Settings) -> None:
    (settings.home / "state.db").write_bytes(b"no database at all" * 100)
    assert "is damaged" in the_fault("databases:check_databases", patient(settings)).said


def test_a_schema_that_needs_a_newer_release_is_a_fault(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.home / "state.db")) as connection, connection:
        connection.execute("INSERT INTO schema_version VALUES (999, 998)")
    found = the_fault("databases:check_schema", patient(settings))
    assert "schema 999, which needs a release that knows 998" in found.said


@pytest.mark.parametrize(("is_running", "silent_s"), [(True, 100), (False, 100), (False, 0)])
def test_a_worker_that_hangs_and_one_that_died_are_faults(
    settings: Settings, is_running: bool, silent_s: float
) -> None:
    with subprocess.Popen(["sleep", "60"]) as worker:
        started_at = psutil.Process(worker.pid).create_time()
        _lease(settings, worker.pid, started_at, renewed_at=time.time() - silent_s)
        if not is_running:
            worker.kill()
            worker.wait()
        found = the_fault("processes:check_worker", patient(settings))
        worker.kill()
    assert ("it hangs" if is_running else "died") in found.said


def test_a_worker_that_renews_its_lease_is_well(settings: Settings) -> None:
    this = psutil.Process()
    _lease(settings, this.pid, this.create_time(), renewed_at=time.time())
    assert [each.state for each in look("processes:check_worker", patient(settings))] == ["ok"]


def test_a_schedule_that_no_worker_starts_is_noted_with_what_does(settings: Settings) -> None:
    with closing(open_database(settings.state_url, settings.home)) as database:
        Schedules(database, home_id=None).put("pipeline", "p", Cadence(every_s=60), owner="ann")

        database.write(lambda c: c.execute(text("UPDATE schema_version SET version = version - 1")))
        before = database.describe()
    (found,) = look("processes:check_worker", patient(settings))
    with closing(sqlite3.connect(settings.home / "state.db")) as file:
        (version,) = file.execute("SELECT max(version) FROM schema_version").fetchone()

    assert before.endswith(f"schema {version}"), "the doctor changes nothing"
    assert (found.state, found.said) == (
        "note",
        "A schedule or a monitor is enabled, and no worker is at work.",
    )
    assert "Run `ml-orchestrator worker`" in found.do


def test_where_no_worker_is_every_look_at_them_says_so_in_one_text(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--home", str(settings.home), "worker", "status"])

    (found,) = look("processes:check_worker", patient(settings))
    assert (found.state, found.said) == ("ok", NO_WORKER)
    assert capsys.readouterr().out == f"{NO_WORKER}\n"


def test_runs_left_in_a_file_that_nobody_looks_at_are_a_fault(settings: Settings) -> None:
    client = RunClient(settings)
    for run_id in ("run-1", "run-2", "run-3"):
        client.start(run_id, WORKFLOWS["train"], {}, actor="ann")
    client.cancel("run-3")
    client.close()
    moved = settings.model_copy(
        update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/x"}
    )

    assert look("processes:check_left_runs", patient(settings)) == []
    found = the_fault("processes:check_left_runs", patient(moved))
    assert found.said.startswith(f"2 unfinished runs are in {settings.home / 'workflows.db'}")
    assert "env -u ML_ORCHESTRATOR_DATABASE_URL ml-orchestrator worker" in found.do
    (settings.home / "workflows.db").write_bytes(b"no database at all" * 100)
    assert look("processes:check_left_runs", patient(moved)) == []


def test_of_workers_nothing_is_said_where_their_leases_cannot_be_read(settings: Settings) -> None:
    (settings.home / "leases.db").write_bytes(b"no database at all" * 100)
    assert look("processes:check_worker", patient(settings)) == []
    assert "leases.db is damaged" in the_fault("databases:check_databases", patient(settings)).said


def _lease(settings: Settings, pid: int, started_at: float, *, renewed_at: float) -> None:
    path = settings.home / "leases.db"
    Leases(path, ttl_s=5).all()
    with closing(sqlite3.connect(path)) as connection, connection:
        row = ("e", socket.gethostname(), pid, started_at, renewed_at, 1)
        connection.execute("INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?)", row)


def test_the_file_of_a_dead_model_server_is_a_fault(settings: Settings) -> None:
    address = _address(settings, "http://127.0.0.1:9", started_at=1.0)
    found = the_fault("processes:check_servers", patient(settings))
    assert "ended without tidying up" in found.said
    assert str(address) in found.do


def test_a_model_server_that_does_not_answer_is_a_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        _address(settings, url, started_at=psutil.Process().create_time())
        found = the_fault("processes:check_servers", patient(settings))
    assert "does not answer" in found.said


def test_a_model_server_that_answers_is_well_and_one_that_is_not_ready_is_not(
    settings: Settings,
) -> None:
    for status, state in ((200, "ok"), (503, "fault")):
        with answering(status) as url:
            _address(settings, url, started_at=psutil.Process().create_time())
            (found,) = look("processes:check_servers", patient(settings))
        assert found.state == state


def _address(settings: Settings, url: str, *, started_at: float) -> Path:
    path = settings.home / "serving" / "ranker.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    pid = psutil.Process().pid
    write_address(settings.home, Address("ranker", url, pid, started_at, "token"))
    return path


def test_a_port_that_is_taken_is_a_fault_if_it_is_meant(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert str(port + 1) in the_fault("processes:check_port", patient(settings, port=port)).do
        monkeypatch.setattr(processes, "DEFAULT_PORT", port)
        (unasked,) = look("processes:check_port", patient(settings))
    assert unasked.state == "note"


@contextmanager
def answering(
    status: int,
    *,
    ahead_s: float = 0.0,
    body: str = "",
    leads_to: str = "",
    logins: list[str | None] | None = None,
) -> Iterator[str]:
    """Serve on a free port, with a clock of its own; ``logins`` takes what each request brings."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + ahead_s, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            if leads_to:
                self.send_header("Location", leads_to)
            self.end_headers()
            self.wfile.write(body.encode())
            if logins is not None:
                logins.append(self.headers["Authorization"])

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def remote(tmp_path: Path, url: str, **environ: str) -> Patient:
    return within(Settings.read({"MLFLOW_TRACKING_URI": url}, project_dir=tmp_path), environ)


def test_an_mlflow_server_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    found = the_fault("servers:check_mlflow", remote(tmp_path, "http://127.0.0.1:9"))
    assert "http://127.0.0.1:9 cannot be reached" in found.said


def test_an_mlflow_server_that_wants_a_login_is_a_fault(tmp_path: Path) -> None:
    with answering(401) as url:
        assert (
            "MLFLOW_TRACKING_TOKEN" in the_fault("servers:check_mlflow", remote(tmp_path, url)).do
        )


def test_a_login_does_not_follow_to_another_address(tmp_path: Path) -> None:
    seen: list[str | None] = []
    with answering(200, logins=seen) as other, answering(302, leads_to=other) as url:
        found = the_fault("servers:check_mlflow", remote(tmp_path, url, MLFLOW_TRACKING_TOKEN="t"))
    assert "sends on to another address (302)" in found.said
    assert seen == []


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        ({"MLFLOW_TRACKING_TOKEN": "t", "MLFLOW_TRACKING_USERNAME": "u"}, "Bearer t"),
        (
            {
                "MLFLOW_TRACKING_TOKEN": "t",
                "MLFLOW_TRACKING_USERNAME": "u",
                "MLFLOW_TRACKING_PASSWORD": "p",
            },
            "Basic dTpw",
        ),
    ],
)
def test_the_login_is_the_one_mlflow_sends(
    tmp_path: Path, environ: dict[str, str], sent: str
) -> None:
    seen: list[str | None] = []
    with answering(200, logins=seen) as url:
        (found,) = look("servers:check_mlflow", remote(tmp_path, url, **environ))
    assert (found.state, seen) == ("ok", [sent])


def test_the_login_of_mlflows_own_file_is_sent(tmp_path: Path) -> None:
    (tmp_path / ".mlflow").mkdir()
    kept = tmp_path / ".mlflow" / "credentials"
    kept.write_text("[mlflow]\nmlflow_tracking_username = u\nmlflow_tracking_password = p\n")
    seen: list[str | None] = []
    with answering(200, logins=seen) as url:
        look("servers:check_mlflow", remote(tmp_path, url))
    kept.write_text("secret")
    found = the_fault("servers:check_mlflow", remote(tmp_path, url))
    assert seen == ["Basic dTpw"]
    assert ("credentials" in found.said, "secret" in str(found)) == (True, False)


@pytest.mark.parametrize("url", ["http://me:pa/ss@h/x", "http://me:1/ss@h", "http://[::1/x"])
def test_an_address_that_cannot_be_read_is_not_quoted(url: str) -> None:
    assert read_place(url) is None


def test_addresses_are_shown_without_login_and_with_their_brackets() -> None:
    shown = [read_place(url) for url in ("http://me:p@[::1]:5000/x?a=b", "https://Host")]
    assert shown == ["http://[::1]:5000/x", "https://Host"]


def test_a_header_that_cannot_be_sent_is_not_quoted(tmp_path: Path) -> None:
    with answering(200) as url:
        seen = remote(tmp_path, url, MLFLOW_TRACKING_TOKEN="sec\nret")
        assert "sec" not in the_fault("servers:check_mlflow", seen).said


def test_certificates_are_checked_as_mlflow_would(tmp_path: Path) -> None:
    assert tls(None, is_checked=False).verify_mode == ssl.CERT_NONE
    assert tls(None, is_checked=True).verify_mode == ssl.CERT_REQUIRED
    both = {"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "/no"}
    for environ in (both, {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/no"}):
        found = the_fault(
            "servers:check_mlflow", remote(tmp_path, "https://localhost:9", **environ)
        )
        assert "cannot be used" in found.said


@pytest.mark.parametrize(("ahead_s", "n_faults"), [(0.0, 0), (600.0, 1), (-600.0, 1)])
def test_clocks_that_disagree_are_a_fault(tmp_path: Path, ahead_s: float, n_faults: int) -> None:
    with answering(200, ahead_s=ahead_s) as url:
        found = look("servers:check_mlflow", remote(tmp_path, url))
    assert [each.check for each in found if each.state == "fault"] == ["clock"] * n_faults


def test_a_collector_that_is_not_there_is_a_fault(settings: Settings) -> None:
    seen = patient(settings, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert "OTEL_SDK_DISABLED" in the_fault("servers:check_collector", seen).do
    with answering(404) as url:
        answered = look(
            "servers:check_collector",
            patient(settings, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url),
        )
    assert [each.state for each in answered] == ["ok"]


def test_the_collector_of_each_signal_is_looked_at_once(settings: Settings) -> None:
    prefix = "OTEL_EXPORTER_OTLP_"
    with answering(405) as url:
        own = {f"{prefix}TRACES_ENDPOINT": f"{url}/v1/traces"}
        other = {f"{prefix}METRICS_ENDPOINT": "http://127.0.0.1:9"}
        found = look("servers:check_collector", within(settings, own | other))
        (one,) = look("servers:check_collector", within(settings, own))
        common = {f"{prefix}ENDPOINT": url}
        (both,) = look("servers:check_collector", within(settings, common))
    assert [each.state for each in found] == ["ok", "fault"]
    assert f"{prefix}METRICS_ENDPOINT" in found[1].do
    assert (one.state, both.state) == ("ok", "ok")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:pass@127.0.0.1:9x/ml",
        "postgresql+psycopg://me:pass@127.0.0.1:9/ml",
        "postgresql+psycopg://me@127.0.0.1:9/ml?password=pass",
    ],
)
def test_no_part_of_a_password_is_told_however_it_is_written(tmp_path: Path, url: str) -> None:
    asks = Settings.read({"ML_ORCHESTRATOR_DATABASE_URL": url}, project_dir=tmp_path)
    found = str(the_fault("servers:check_postgres", patient(asks)))
    assert not [part for part in ("pass@", "=pass") if part in found], found


@pytest.mark.parametrize(
    ("status", "body", "is_ours"),
    [
        (200, "ml_orchestrator_queue_depth 1", True),
        (200, "python_info 1", False),
        (403, "This server is not known by that host name.", True),
        (403, "no", False),
    ],
)
def test_a_port_of_ours_is_told_from_others_metrics(
    settings: Settings, status: int, body: str, is_ours: bool
) -> None:
    with answering(status, body=body) as url:
        port = int(url.rpartition(":")[2])
        (found,) = look("processes:check_port", patient(settings, port=port))
    assert found.state == ("ok" if is_ours else "fault")


def test_counts_of_unread_messages_that_are_wrong_are_a_fault(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.home / "state.db")) as connection, connection:
        connection.execute("INSERT INTO unread_counts VALUES ('critic', 2, 0)")
    assert "of: critic" in the_fault("databases:check_databases", patient(settings)).said


@pytest.mark.parametrize("content", [{"plugins": []}, {"plugins": None}, []])
def test_a_list_of_plug_ins_in_another_form_is_none(settings: Settings, content: object) -> None:
    plugins = settings.project_dir / ".claude" / "plugins"
    plugins.mkdir(parents=True)
    _write(plugins / "installed_plugins.json", content)
    assert [each.state for each in look("plugin:check_plugin", patient(settings))] == ["note"]


def test_a_postgres_that_is_not_there_is_a_fault_and_its_password_is_not_told(
    tmp_path: Path,
) -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:9/ml"
    asks = Settings.read({"ML_ORCHESTRATOR_DATABASE_URL": url}, project_dir=tmp_path)
    found = the_fault("servers:check_postgres", patient(asks))
    assert "postgresql://me:***@127.0.0.1:9/ml cannot be used" in found.said
    assert "secret" not in str(found)


@pytest.mark.parametrize("broken", ["nothing", "missing", "disabled", "gone", "half"])
def test_what_claude_code_knows_of_the_plug_in_is_looked_at(
    settings: Settings, tmp_path: Path, broken: str
) -> None:
    key, place = "ml-orchestrator@market", tmp_path / "cache" / "ml-orchestrator" / "0.1.0"
    claude = tmp_path / ".claude"
    environment = claude / "plugins" / "data" / "ml-orchestrator-market" / "env-1"
    (environment / "venv" / "bin").mkdir(parents=True)
    (environment / "venv" / "bin" / "python").touch()
    for name in (".claude-plugin/plugin.json", ".mcp.json", "bin/ml-orchestrator-launch"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if broken != "gone":
            (place / name).touch()
    if broken != "half":
        (environment / "complete").touch()
    plugins = {} if broken == "missing" else {key: [{"installPath": str(place)}]}
    _write(claude / "plugins" / "installed_plugins.json", {"plugins": plugins})
    _write(claude / "settings.json", {"enabledPlugins": {key: broken != "disabled"}})

    found = look("plugin:check_plugin", patient(settings))
    states = {each.check: each.state for each in found}
    assert (
        states
        == {
            "nothing": {"claude code": "ok", "plug-in environment": "ok"},
            "missing": {"claude code": "note", "plug-in environment": "ok"},
            "disabled": {"claude code": "fault", "plug-in environment": "ok"},
            "gone": {"claude code": "fault", "plug-in environment": "ok"},
            "half": {"claude code": "ok", "plug-in environment": "fault"},
        }[broken]
    )


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_check_that_hangs_or_breaks_takes_no_other_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    def hangs(_: Patient) -> Iterator[Finding]:
        let_go.wait(60)
        yield from ()

    def breaks(_: Patient) -> Iterator[Finding]:
        raise RuntimeError("odd secret")

    monkeypatch.setattr(rounds, "LIMIT_S", 0.2)
    monkeypatch.setattr(directory, "check_directory", hangs)
    monkeypatch.setattr(directory, "check_keys", breaks)
    checks = ["directory:check_directory", "directory:check_keys", "installation:check_python"]
    found = list(examined(patient(settings), checks))
    let_go.set()

    assert [(each.check, each.state) for each in found] == [
        ("directory", "fault"),
        ("keys", "fault"),
        ("python", "ok"),
    ]
    assert ("RuntimeError" in found[1].said, "secret" in str(found)) == (True, False)
    (record,) = caplog.records
    assert "in breaks\n" in record.getMessage()
    assert record.exc_info is None  # which would tell the text


def test_nothing_heavy_is_imported_before_the_cheap_checks_have_spoken(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ml_orchestrator.doctoring.findings import Patient\n"
        "from ml_orchestrator.doctoring.rounds import CHECKS, examined\n"
        "from ml_orchestrator.settings import Settings\n"
        "checks = CHECKS[:5]\n"
        "n = len(list(examined(Patient(Settings.read({}), {'PATH': '', 'HOME': '.'}), checks)))\n"
        "assert n >= 4, n\n"
        "heavy = {'mcp', 'mlflow', 'sqlalchemy', 'numpy', 'psycopg', 'dbos', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout == "[]\n"


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
