"""Verified models that are kept in memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.serving.models import TAMPERED, Shelf

from ml_orchestrator.errors import IntegrityViolationError
from ml_orchestrator.serving.cache import ModelCache


class Counting:
    """Counts how often a version was checked out."""

    def __init__(self, folder: Path) -> None:
        self._shelf = Shelf(folder)
        self.versions: list[int] = []

    def checkout(self, version: int) -> Callable[[], AbstractContextManager[Any]]:
        def give() -> AbstractContextManager[Any]:
            self.versions.append(version)
            return self._shelf.checkout(version)

        return give


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def get(cache: ModelCache, counting: Counting, version: int, digest: str | None = "") -> Any:
    known = f"digest-{version}" if digest == "" else digest
    return cache.get("model", version, known, counting.checkout(version))


def test_a_version_that_is_no_pipeline_has_no_shorter_way(counting: Counting) -> None:
    assert get(ModelCache(()), counting, 1).model.short is None


def test_a_version_is_verified_and_loaded_once(counting: Counting) -> None:
    cache = ModelCache(())
    first = get(cache, counting, 1)
    assert get(cache, counting, 1) is first
    assert counting.versions == [1]


@pytest.mark.parametrize("digest", [None, "another"])
def test_another_manifest_or_none_is_verified_again(counting: Counting, digest: str | None) -> None:
    cache = ModelCache(())
    get(cache, counting, 1)
    get(cache, counting, 1, digest)
    assert counting.versions == [1, 1]


def test_the_least_used_one_goes_when_there_are_too_many(counting: Counting) -> None:
    cache = ModelCache((), max_models=2)
    for version in (1, 2, 1, 3, 1, 2):
        get(cache, counting, version)
    assert counting.versions == [1, 2, 3, 2]


def test_models_that_are_too_large_together_go_and_one_too_large_is_not_kept(
    counting: Counting,
) -> None:
    size_bytes = get(ModelCache(()), counting, 1).size_bytes
    for room, loads in ((1.5, [1, 2, 1]), (0.5, [1, 2, 1, 1])):
        counting.versions.clear()
        cache = ModelCache((), max_bytes=int(size_bytes * room))
        for version in (1, 2, 1, 1):
            get(cache, counting, version)
        assert counting.versions == loads


def test_a_version_that_does_not_verify_is_refused_every_time(counting: Counting) -> None:
    cache = ModelCache(())
    for _ in range(2):
        with pytest.raises(IntegrityViolationError):
            get(cache, counting, TAMPERED)
    assert counting.versions == [TAMPERED] * 2
