"""Each door to MLflow limits a server's answers by itself, whichever is opened first."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from tests.registry.hostile_server import GOOD, hostile_server

# In a process of its own: here another test may have opened another door before.
OPEN = """
import sys
from importlib import import_module
from pathlib import Path

from ml_orchestrator.errors import UnavailableError

module, name, n_addresses, address, home = sys.argv[1:]
door = getattr(import_module(module), name)
try:
    opened = door(*[address] * int(n_addresses), Path(home))
    if name == "MlflowPrompts":  # opening it asks a server nothing
        opened.text("greeting", 1)
except UnavailableError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "name", "n_addresses"),
    [
        ("ml_orchestrator.registry._mlflow", "MlflowRegistry", 2),
        ("ml_orchestrator.lifecycle._mlflow", "MlflowTracker", 1),
        ("ml_orchestrator.lifecycle._mlflow_prompts", "MlflowPrompts", 2),
    ],
)
def test_a_door_that_is_opened_first_takes_no_packed_answer(
    tmp_path: Path, module: str, name: str, n_addresses: int
) -> None:
    packed = gzip.compress(b'{"experiments": []}')
    with hostile_server() as server:
        server.answers = dict.fromkeys(
            GOOD, lambda asked: asked.say(200, packed, **{"Content-Encoding": "gzip"})
        )
        done = subprocess.run(
            [sys.executable, "-c", OPEN, module, name, str(n_addresses), server.address,
             str(tmp_path / "home")],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    assert "packed content ('gzip')" in done.stdout
