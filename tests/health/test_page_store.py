"""Drift pages on disk: written whole, found again, and not more of them than are kept."""

import os
from pathlib import Path

import pytest

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.health.page_store import MOST_PAGES, PageStore

LATER_S = 4_000_000_000  # 2096


def test_the_same_page_is_kept_once_and_another_beside_it(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    first = store.save("<p>\u00fc</p>")
    assert store.save("<p>\u00fc</p>") == first
    second = store.save("<p>b</p>")
    assert first.read_bytes() == "<p>\u00fc</p>".encode()
    assert sorted((tmp_path / "reports").iterdir()) == sorted([first, second])


def test_the_newest_pages_are_kept_and_the_one_just_written_always(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    pages = [store.save(str(i)) for i in range(MOST_PAGES)]
    for age, page in enumerate(pages):
        os.utime(page, (LATER_S - age, LATER_S - age))  # the last one saved looks oldest
    other = tmp_path / "reports" / "notes.html"
    other.write_text("mine")

    oldest_by_its_time = store.save("one more")

    assert set((tmp_path / "reports").iterdir()) == {*pages[:-1], oldest_by_its_time, other}


def test_a_page_asked_for_again_becomes_the_newest(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    pages = [store.save(str(i)) for i in range(MOST_PAGES)]
    for age, page in enumerate(pages):
        os.utime(page, (1_000 - age, 1_000 - age))

    store.save(str(MOST_PAGES - 1))  # the oldest
    store.save("one more")

    assert pages[-1].exists()
    assert not pages[-2].exists()


def test_a_page_that_cannot_be_written_leaves_no_draft_behind(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    place = store.save("text")
    place.unlink()
    place.mkdir()

    with pytest.raises(UnavailableError, match=f"{place.name} could not be written"):
        store.save("text")

    assert list((tmp_path / "reports").iterdir()) == [place]
