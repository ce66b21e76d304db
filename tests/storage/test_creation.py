"""Creating a database file: whole or not at all, by one process at a time."""

import multiprocessing
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ml_orchestrator.storage.creation import PREFIX, sqlite_file, with_whole_file

DOING = "building a test database"


def build(url: str) -> None:
    path = sqlite_file(url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE half (x)")  # fails if somebody's half is still there
        connection.execute("CREATE TABLE whole (x)")


def die_half_way(url: str) -> None:
    path = sqlite_file(url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE half (x)")
        connection.commit()
        os._exit(9)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def create(url: str, how: str) -> None:
    with_whole_file(url, doing=DOING, build=die_half_way if how == "die" else build)


def test_a_process_that_dies_half_way_leaves_nothing_and_the_next_builds_it(
    tmp_path: Path,
) -> None:
    url = f"{PREFIX}{tmp_path / 'some.db'}"
    dying = multiprocessing.get_context("spawn").Process(target=create, args=(url, "die"))
    dying.start()
    dying.join(60)

    assert dying.exitcode == 9
    assert not (tmp_path / "some.db").exists()
    create(url, "build")
    assert tables(tmp_path / "some.db") == {"half", "whole"}
    assert not list(tmp_path.glob("*.draft*"))


def test_four_processes_at_once_build_it_once(tmp_path: Path) -> None:
    url = f"{PREFIX}{tmp_path / 'some.db'}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=create, args=(url, "build")) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert tables(tmp_path / "some.db") == {"half", "whole"}


def test_a_database_that_is_there_and_one_that_is_no_file_are_left_alone(tmp_path: Path) -> None:
    url = f"{PREFIX}{tmp_path / 'some.db'}"
    create(url, "build")

    with_whole_file(url, doing=DOING, build=lambda _: (tmp_path / "touched").touch())
    with_whole_file("postgresql://host/db", doing=DOING, build=lambda _: 1 / 0)

    assert not (tmp_path / "touched").exists()
