"""The state database under bad conditions."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage import engine as engine_module
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.storage.migrations import LATEST


def url(home: Path) -> str:
    return f"sqlite:///{home / 'state.db'}"


def test_opening_twice_keeps_what_is_there(tmp_path: Path) -> None:
    first = open_database(url(tmp_path), tmp_path)
    first.write(lambda c: c.execute(text("insert into agents values ('a', 'now')")))
    first.close()

    second = open_database(url(tmp_path), tmp_path)

    assert second.read(lambda c: c.scalar(text("select name from agents"))) == "a"
    assert second.describe() == f"sqlite, schema {LATEST}"
    second.close()


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    database = open_database(url(tmp_path), tmp_path)
    database.write(lambda c: c.execute(text("insert into schema_version values (9999)")))
    database.close()

    with pytest.raises(UnavailableError, match=r"9999.*Upgrade ml-orchestrator"):
        open_database(url(tmp_path), tmp_path)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(url(tmp_path), tmp_path)

    def work(connection: object) -> None:
        connection.execute(text("insert into agents values ('half', 'now')"))  # type: ignore[attr-defined]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        database.write(work)

    assert database.read(lambda c: c.scalar(text("select count(*) from agents"))) == 0
    database.close()


def test_a_locked_database_says_so_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0.01)
    database = open_database(url(tmp_path), tmp_path)
    holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(UnavailableError, match=r"locked.*Nothing was written.*try again"):
        database.write(lambda c: c.execute(text("insert into agents values ('a', 'now')")))

    holder.execute("ROLLBACK")
    holder.close()
    database.close()


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory", encoding="utf-8")

    with pytest.raises(UnavailableError, match="ML_ORCHESTRATOR_HOME"):
        open_database(url(blocked), blocked)


def test_the_data_directory_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    home = tmp_path / "data"
    open_database(url(home), home).close()

    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".gitignore").read_text(encoding="utf-8") == "*\n"
