"""An MLflow server that lies: it sends us elsewhere, out of the directory, or without end."""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.registry.flowers import log_flowers, mlflow_uri
from tests.registry.hostile_server import (
    API,
    FILES,
    MODEL,
    VERSION,
    HostileServer,
    drip,
    hostile_server,
    pour,
)

from ml_orchestrator.errors import (
    IntegrityViolationError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)
from ml_orchestrator.registry import _mlflow
from ml_orchestrator.registry._mlflow import MlflowRegistry
from ml_orchestrator.storage._mlflow import answers, files

FILE = FILES + "/1/models/m/MLmodel"


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with hostile_server() as opened:
        yield opened


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[HostileServer]:
    """What nobody may ask; it stands for the metadata service of a cloud."""
    with hostile_server() as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(server: HostileServer, tmp_path_factory: pytest.TempPathFactory) -> MlflowRegistry:
    return MlflowRegistry(server.address, server.address, tmp_path_factory.mktemp("home"))


@pytest.fixture
def store(
    opened: MlflowRegistry,
    server: HostileServer,
    elsewhere: HostileServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MlflowRegistry]:
    """A registry on the hostile server, whose login no other server may see."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    before = dict(server.answers)
    yield opened
    server.answers = before
    assert elsewhere.asked == []


def listed(*names: str, is_dir: bool = False) -> dict[str, Any]:
    return {"files": [{"path": name, "is_dir": is_dir, "file_size": "1"} for name in names]}


def test_what_an_honest_server_keeps_is_fetched(store: MlflowRegistry, tmp_path: Path) -> None:
    copy = store.download("iris", 1, tmp_path / "copy")
    assert [path.read_bytes() for path in copy.iterdir()] == [b"{}"]
    assert (store.version("iris", 1).version, store.alias_version("iris", "champion")) == (1, 1)


@pytest.mark.parametrize(
    "location",
    [
        "mlflow-artifacts://{elsewhere}/1/models/m", "mlflow-artifacts://{server}@{elsewhere}/m",
        "mlflow-artifacts://rebind.test/m", "mlflow-artifacts://169.254.169.254/latest",
        "mlflow-artifacts:////{elsewhere}/m", "mlflow-artifacts:/../../x",
        "mlflow-artifacts:/1/%2e%2e/%2e%2e/x", "mlflow-artifacts:/1/%252e%252e/x",
        "mlflow-artifacts:/1\\..\\x", "mlflow-artifacts:/m?path=../x", "mlflow-artifacts:/m#x",
        "mlflow-artifacts:/m\n", "mlflow-artifacts:m", "http://{elsewhere}/m",
        "http://{server}/m", "http://rebind.test/m", "http://169.254.169.254/", "https://[::1]/m",
        "http://0x7f.1/m", "s3://b/m", "dbfs:/m", "ftp://{elsewhere}/m", "file:///etc",
        "file://{elsewhere}/etc", "/etc", "//{elsewhere}/share", "models:/iris/1", "runs:/x/y", "",
    ],
)  # fmt: skip
def test_an_address_that_a_server_makes_up_is_not_followed(
    store: MlflowRegistry,
    server: HostileServer,
    elsewhere: HostileServer,
    tmp_path: Path,
    location: str,
) -> None:
    named = location.replace("{elsewhere}", elsewhere.netloc).replace("{server}", server.netloc)
    server.answers[API + "model-versions/get-download-uri"] = {"artifact_uri": named}
    n_before = len(server.asked)
    with pytest.raises(IntegrityViolationError, match="refused"):
        store.download("iris", 1, tmp_path / "copy")
    assert all(path.startswith(API) for path in server.asked[n_before:])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [API + "model-versions/get-download-uri", FILES, FILE])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(
    store: MlflowRegistry,
    server: HostileServer,
    elsewhere: HostileServer,
    tmp_path: Path,
    path: str,
    status: int,
) -> None:
    server.answers[path] = lambda asked: asked.say(status, Location=elsewhere.address + path)
    with pytest.raises(OrchestratorError) as refused:
        store.download("iris", 1, tmp_path / "copy")
    assert "secret" not in str(refused.value)


def test_a_presigned_address_is_not_asked_for(
    store: MlflowRegistry, server: HostileServer, elsewhere: HostileServer, tmp_path: Path
) -> None:
    """The server says that files are to be had elsewhere; they are taken from itself."""
    for place in ("/server-info", API + "server-info", "/api/3.0/mlflow/server-info"):
        server.answers[place] = {
            "multipart_downloads_enabled": True, "multipart_uploads_enabled": True,
        }  # fmt: skip
    signed = {"url": f"{elsewhere.address}/x", "headers": {}, "file_size": 2}
    server.answers["/api/2.0/mlflow-artifacts/presigned/1/models/m/MLmodel"] = signed
    copy = store.download("iris", 1, tmp_path / "copy")
    assert (copy / "MLmodel").read_bytes() == b"{}"
    assert not any("presigned" in path for path in server.asked)


@pytest.mark.parametrize(
    "name",
    ["../evil", "../../evil", "/etc/evil", "a/../../evil", "..\\evil", "%2e%2e/evil",
     "%252e%252e/evil", "a\0b",  "~/evil", "file:///etc/evil", "", ".", ".ssh/keys", "a//b",
     "C:\\evil", "\u202eevil"],
)  # fmt: skip
@pytest.mark.parametrize("is_dir", [False, True])
def test_a_name_that_leads_out_of_the_directory_is_refused(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path, name: str, is_dir: bool
) -> None:
    server.answers[FILES] = lambda asked: asked.say(
        200, encoded(listed(name, is_dir=is_dir) if asked.query["path"] == "1/models/m" else {})
    )
    with pytest.raises(OrchestratorError):
        store.download("iris", 1, tmp_path / "deep" / "copy")
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found == []


def encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def test_folders_without_end_are_given_up(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path
) -> None:
    server.answers[FILES] = listed("deeper", is_dir=True)
    with pytest.raises(IntegrityViolationError, match="more than 200 folders"):
        store.download("iris", 1, tmp_path / "copy")


def test_files_without_number_are_given_up(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path
) -> None:
    server.answers[FILES] = listed(*(f"f{n}" for n in range(10_001)))
    with pytest.raises(IntegrityViolationError, match="more than 10000 files"):
        store.download("iris", 1, tmp_path / "copy")


def test_an_answer_without_end_is_given_up(
    store: MlflowRegistry, server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 3_000_000)
    server.answers[API + "registered-models/get"] = pour
    with pytest.raises(UnavailableError, match="the answer has more than 3000000 bytes") as refused:
        store.model("iris")
    assert "reached" not in str(refused.value)


def test_a_file_without_end_is_cut_whatever_size_was_announced(
    store: MlflowRegistry,
    server: HostileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_mlflow, "MAX_MODEL_BYTES", 3_000_000)

    server.answers[FILE] = pour
    with pytest.raises(IntegrityViolationError, match="more than 3000000 bytes"):
        store.download("iris", 1, tmp_path / "copy")
    assert (tmp_path / "copy" / "MLmodel").stat().st_size <= 3_000_000


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "deflate", "gzip, gzip", "br", "x"])
@pytest.mark.parametrize("path", [API + "model-versions/get-download-uri", FILES, FILE])
def test_packed_content_is_not_unfolded(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path, path: str, encoding: str
) -> None:
    asked_for: list[str | None] = []

    def pack(asked: Any) -> None:
        asked_for.append(asked.headers["Accept-Encoding"])
        asked.say(200, gzip.compress(b" " * 1_000_000), **{"Content-Encoding": encoding})

    server.answers[path] = pack
    with pytest.raises(UnavailableError, match=r"packed content .* not asked for; refused"):
        store.download("iris", 1, tmp_path / "copy")
    assert asked_for == ["identity"]
    assert not any(path.is_file() and path.stat().st_size for path in tmp_path.rglob("*"))


def test_content_that_says_it_is_plain_is_taken(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path
) -> None:
    server.answers[FILE] = lambda asked: asked.say(200, b"{}", **{"Content-Encoding": "identity"})
    assert (store.download("iris", 1, tmp_path / "copy") / "MLmodel").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("path", "limit"),
    [(FILES, (answers, "MAX_ANSWER_S")), (FILE, (files, "MAX_TREE_S"))],
    ids=["answer", "file"],
)
def test_a_server_that_drips_is_given_up(
    store: MlflowRegistry,
    server: HostileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    limit: tuple[Any, str],
) -> None:
    """No single read takes long, so only a limit on all of them helps."""
    monkeypatch.setattr(*limit, 0.3)
    server.answers[path] = drip
    with pytest.raises(UnavailableError, match="sends too slowly; the answer was given up"):
        store.download("iris", 1, tmp_path / "copy")


def test_a_server_that_stops_in_the_middle_of_a_file_leaves_no_model(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path
) -> None:
    def stop(asked: Any) -> None:
        asked.send_response(200)
        asked.send_header("Content-Length", "10")
        asked.end_headers()
        asked.wfile.write(b"{")

    server.answers[FILE] = stop
    with pytest.raises(UnavailableError, match="stopped in the middle of an answer"):
        store.download("iris", 1, tmp_path / "copy")


@pytest.mark.parametrize(
    ("top", "below", "said"),
    [
        ([("a", False), ("a", False)], [], "'a' twice"),
        ([("a", True), ("a", True)], [("b", False)], "twice"),
        ([("a", False), ("a", True)], [], "'a' twice"),
        ([("a", False), ("a", True)], [("b", False)], "'a' twice"),
        ([("a", False), ("a/b", False)], [], "'a' as a file and as a folder"),
        ([("a", True), ("a/b", False)], [("b", False)], "'a/b' twice"),
        ([("a", False), ("a/b/c", True)], [("d", False)], "'a' as a file and as a folder"),
        ([("a", False), ("a/b", True)], [], "'a' as a file and as a folder"),
    ],
)
def test_a_name_that_stands_for_two_things_is_refused(
    store: MlflowRegistry,
    server: HostileServer,
    tmp_path: Path,
    top: list[tuple[str, bool]],
    below: list[tuple[str, bool]],
    said: str,
) -> None:
    def list_(asked: Any) -> None:
        entries = top if asked.query["path"] == "1/models/m" else below
        found = [{"path": name, "is_dir": is_dir, "file_size": "1"} for name, is_dir in entries]
        asked.say(200, encoded({"files": found}))

    server.answers[FILES] = list_
    with pytest.raises(IntegrityViolationError, match=f"lists .*{said}"):
        store.download("iris", 1, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_disk_that_takes_no_file_is_not_the_servers_fault(
    store: MlflowRegistry, server: HostileServer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"cannot be read or written here.*Not a directory"):
        store.download("iris", 1, tmp_path / "file" / "copy")
    server.answers[FILES] = listed("n" * 300)
    with pytest.raises(UnavailableError, match=r"cannot be read or written here.*too long"):
        store.download("iris", 1, tmp_path / "copy")


@pytest.mark.parametrize("path", [FILES, FILE])
def test_what_a_server_does_not_have_is_not_found_and_what_it_fails_at_is_not(
    store: MlflowRegistry,
    server: HostileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for status, kind in ((404, NotFoundError), (403, UnavailableError), (500, UnavailableError)):
        server.answers[path] = lambda asked, status=status: asked.say(status, b"{}")
        with pytest.raises(kind):
            store.download("iris", 1, tmp_path / str(status))


ODD_ANSWERS: dict[str, Any] = {
    "no-json": b"<html>hello</html>",
    "cut": b'{"registered_model": {"name": "iri',
    "list": b"[1, 2]",
    "number": b"7",
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "not-text": b"\xff\xfe\0\0",
    "nothing": {},
    "version-of-words": {
        "registered_model": {**MODEL, "latest_versions": [{**VERSION, "version": "newest"}]},
        "registered_models": [{**MODEL, "aliases": [{"alias": "champion", "version": "best"}]}],
        "model_version": {**VERSION, "version": "newest"},
    },
    "no-numbers": {
        "registered_model": {**MODEL, "creation_timestamp": "soon"},
        "model_version": {**VERSION, "creation_timestamp": {"a": 1}},
    },
    "beyond-all-time": {
        "registered_model": {**MODEL, "creation_timestamp": 2**62},
        "registered_models": [{**MODEL, "creation_timestamp": 2**62}],
        "model_version": {**VERSION, "creation_timestamp": 2**62},
    },
    "another-shape": {"registered_model": [MODEL], "registered_models": MODEL,
                      "model_version": "x"},
    "error-of-no-kind": {"error_code": ["x"], "message": None},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ANSWERS)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_makes_no_sense_is_an_error_in_words(
    store: MlflowRegistry, server: HostileServer, name: str, status: int
) -> None:
    odd = ODD_ANSWERS[name]
    body = odd if isinstance(odd, bytes) else encoded(odd)
    for path in ("registered-models/get", "registered-models/search", "model-versions/get",
                 "registered-models/alias"):  # fmt: skip
        server.answers[API + path] = lambda asked: asked.say(status, body)
    with pytest.raises(OrchestratorError) as refused:
        store.version("iris", 1)
    assert len(str(refused.value)) < 1_000
    with pytest.raises(OrchestratorError):
        store.model("iris")
    with suppress(OrchestratorError):  # nothing at all may also be read as an empty list
        store.models(limit=5, cursor=None)
    with suppress(OrchestratorError):
        store.alias_version("iris", "x")


def test_a_server_that_hangs_up_is_away(store: MlflowRegistry, server: HostileServer) -> None:
    server.answers[API + "registered-models/get"] = lambda asked: asked.connection.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(UnavailableError, match="Try again in a moment"):
            store.model("iris")


def test_files_of_a_run_are_written_nowhere_else(home: Path, tmp_path: Path) -> None:
    """An experiment says where its runs keep their files; any client of MLflow may have made it."""
    outside = tmp_path / "outside"
    client = MlflowClient(mlflow_uri(home))
    client.create_experiment("flowers", artifact_location=outside.as_uri())

    with pytest.raises(IntegrityViolationError, match="not a directory inside the artifact root"):
        log_flowers(home, "run-1")

    assert not outside.exists()
    (run,) = client.search_runs([client.get_experiment_by_name("flowers").experiment_id])  # type: ignore[union-attr]
    assert run.info.status == "FAILED"
