"""A session of the launcher, and what its client reads."""

import pytest
from tests.launcher.test_session import MANIFEST, Pipe

from ml_orchestrator.launcher.manifest import Manifest
from ml_orchestrator.launcher.session import Session
from ml_orchestrator.launcher.wire import Output


@pytest.fixture
def client() -> Pipe:
    return Pipe()


@pytest.fixture
def session(client: Pipe) -> Session:
    return Session(Manifest.read(MANIFEST), Output(client))
