"""Data directories with real workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.orchestration.workflow_bench import Bench, open_bench


@pytest.fixture(scope="session", autouse=True)
def _tiny_plugin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("SOME_API_KEY", "secret")
        patch.setenv("CLIENT_TOKEN", "secret")
        yield


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A data directory of this test alone."""
    with open_bench(tmp_path, worker_idle_s=60, lease_ttl_s=1.0) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A data directory whose worker serves a whole module."""
    with open_bench(tmp_path_factory.mktemp("shared"), worker_idle_s=60) as opened:
        yield opened
