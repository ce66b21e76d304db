import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.registry.flowers import iris, log_flowers, make_desk, train

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import ConflictError, IntegrityViolationError, InvalidInputError
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.registry.store import DIGEST_TAG
from ml_orchestrator.services import deployment
from ml_orchestrator.services.deployment import DeploymentPipelineService
from ml_orchestrator.serving.cache import ModelCache
from ml_orchestrator.serving.predict import predict


@pytest.fixture
def service(home: Path) -> DeploymentPipelineService:
    return DeploymentPipelineService(
        Door(lambda: make_desk(home)),
        make_request=lambda: MoveRequest,
        answer=lambda: predict,
        models=Door(lambda: ModelCache(())),
    )


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for _, row in frame.iterrows()]


async def register(service: DeploymentPipelineService, home: Path, c: float) -> int:
    logged = log_flowers(home, f"run-{c:g}".replace(".", "_"), c=c)
    made = await service.register_model(
        "iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={"by": "test"}
    )
    return made.version


async def test_a_version_goes_from_run_to_champion_and_back(
    service: DeploymentPipelineService, home: Path
) -> None:
    move = partial(service.move_alias, "iris", "champion", actor="agent", reason="better")
    old, new = await register(service, home, 0.01), await register(service, home, 10.0)
    await move(old, expected_version=None)

    plan = (await move(new, expected_version=old, dry_run=True)).plan
    moved = await move(new, expected_version=old, plan_digest=plan.digest)
    assert moved.plan == plan
    with pytest.raises(ConflictError, match="points to version 2"):
        await move(old, expected_version=old)
    await move("previous", expected_version=new)

    page = await service.list_models("iris")
    assert page.models[0].aliases == {"champion": old}
    assert [v.version for v in page.versions] == [new, old]
    assert [(m.from_version, m.to_version) for m in page.moves] == [(2, 1), (1, 2), (None, 1)]
    history = await service.history("iris", "champion")
    assert (history.moves, history.current_version, history.previous_version) == (
        page.moves, old, new,
    )  # fmt: skip
    assert (await service.list_models()).models == page.models


async def test_the_served_prediction_is_the_models_own(
    service: DeploymentPipelineService, home: Path
) -> None:
    await register(service, home, 0.01)
    await register(service, home, 10.0)
    frame, _ = iris()
    rows = rows_of(frame.iloc[::7])

    for version, c in ((1, 0.01), (2, 10.0)):
        served = await service.predict("iris", version, rows)
        own = train(c=c)
        assert list(served.predictions) == own.predict(frame.iloc[::7]).tolist()
        assert served.probabilities is not None
        assert [list(p.values()) for p in served.probabilities] == own.predict_proba(
            frame.iloc[::7]
        ).tolist()
        assert served.manifest_digest == (await service.verify("iris", version)).manifest_digest


async def test_rows_that_do_not_fit_name_the_models_columns(
    service: DeploymentPipelineService, home: Path
) -> None:
    await register(service, home, 1.0)
    with pytest.raises(InvalidInputError, match="does not know: petals"):
        await service.predict("iris", 1, [{"petals": 4}])


async def test_a_tampered_model_is_neither_verified_nor_served(
    service: DeploymentPipelineService, home: Path
) -> None:
    await register(service, home, 1.0)
    (path,) = (home / "mlartifacts").rglob("MLmodel")
    path.write_text(
        path.read_text().replace("loader_module: mlflow.sklearn", "loader_module: evil")
    )
    (path.parent / "evil.py").write_text("raise SystemExit('ran')")

    report = await service.verify("iris", 1)
    assert {c.name for c in report.checks if not c.ok} == {
        "no_changed_files", "no_added_files", "mlmodel_is_safe",
    }  # fmt: skip
    with pytest.raises(IntegrityViolationError, match=r"added: evil\.py.*changed: MLmodel"):
        await service.predict("iris", 1, rows_of(iris()[0].head(1)))
    assert "evil" not in sys.modules


async def test_a_model_that_was_verified_answers_from_memory_until_it_is_another(
    service: DeploymentPipelineService, home: Path
) -> None:
    await register(service, home, 1.0)
    rows = rows_of(iris()[0].head(3))
    first = await service.predict("iris", 1, rows)
    (path,) = (home / "mlartifacts").rglob("MLmodel")
    path.unlink()  # what is in memory was verified when it was read
    assert await service.predict("iris", 1, rows) == first

    desk = make_desk(home)
    desk.store.set_version_tag("iris", 1, DIGEST_TAG, "0" * 64)
    with pytest.raises(IntegrityViolationError, match="manifest_matches_tag"):
        await service.predict("iris", 1, rows)


async def test_predictions_that_fail_are_counted_with_the_code_of_their_error(
    service: DeploymentPipelineService, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(service, home, 1.0)
    counted: list[tuple[int, int]] = []

    def count(took_s: float, *, n_rows: int, code: int, **_: object) -> None:
        assert took_s > 0
        counted.append((code, n_rows))

    monkeypatch.setattr(deployment, "count_predictions", count)
    await service.predict("iris", 1, rows_of(iris()[0].head(3)))
    with pytest.raises(InvalidInputError):
        await service.predict("iris", 1, [{"petals": 4}])
    make_desk(home).store.set_version_tag("iris", 1, DIGEST_TAG, "0" * 64)
    with pytest.raises(IntegrityViolationError):
        await service.predict("iris", 1, rows_of(iris()[0].head(3)))
    assert counted == [(200, 3), (400, 0), (422, 0)]


async def test_reconciling_a_quiet_registry_finds_nothing(
    service: DeploymentPipelineService, home: Path
) -> None:
    await register(service, home, 1.0)
    report = await service.reconcile()
    assert (report.applied, report.abandoned, report.observed) == ((), (), ())
