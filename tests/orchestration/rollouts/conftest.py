"""A small world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.orchestration.rollouts.small_world import Bench, open_bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    opened = open_bench(tmp_path)
    yield opened
    opened.close()
