import os
from pathlib import Path

import pytest
from tests.clients.programs import Programs, python
from tests.clients.setup import is_installed

REQUIRE = "ML_ORCHESTRATOR_REQUIRE_CLIENTS"


@pytest.fixture(scope="session")
def installed() -> None:
    """Skip without the Node programs; fail where the environment says they are required."""
    if is_installed() and python().exists():
        return
    missing = "the client programs" if python().exists() else "the plug-in's environment .venv"
    reason = f"{missing} are not there; run `make test`, or tests/clients/setup.py to see why"
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture
def programs(installed: None, tmp_path: Path) -> Programs:
    """Programs with an empty home and an empty project of this test's own."""
    return Programs.fresh(tmp_path)


@pytest.fixture(scope="module")
def shared_programs(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Programs with a home and a project that the tests of one module share."""
    return Programs.fresh(tmp_path_factory.mktemp("client"))
