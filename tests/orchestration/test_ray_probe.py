"""A Ray that is asked for and not installed is seen where the system's health is looked at."""

from pathlib import Path

import pytest

from ml_orchestrator.app import build_services
from ml_orchestrator.settings import Settings
from ml_orchestrator.training import clusters


async def test_a_ray_that_is_not_installed_makes_training_degraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "find_spec", lambda _: None)
    settings = Settings.read({"ML_ORCHESTRATOR_RAY_ADDRESS": "local"}, project_dir=tmp_path)

    found = await build_services(settings).components.show("training")

    assert found.state == "degraded"
    assert "Trials are to run on Ray (local), which is not installed here. Install it: " in (
        found.detail
    )
