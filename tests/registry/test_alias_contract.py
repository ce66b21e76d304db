"""What moves of aliases promise, on a local database and on a remote MLflow server."""

import shutil
import threading
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.registry.flowers import ask, make_desk, mlflow_uri, register_flowers

from ml_orchestrator.errors import (
    ApprovalRequiredError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.journal import UNKNOWN_ACTOR
from ml_orchestrator.registry.policies import ENVIRONMENTS
from ml_orchestrator.registry.store import ENVIRONMENT_TAG


class Place:
    """A registry with versions 1 and 2 of 'iris', and another client of the same MLflow."""

    def __init__(self, home: Path, uri: str) -> None:
        self.home = home
        self.uri = uri
        self.desk = make_desk(home, uri=uri)
        register_flowers(home, self.desk, n=2, uri=uri)
        self.other = MlflowClient(uri, uri)


@pytest.fixture(scope="module", params=["database", "server"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path
) -> Place:
    home = tmp_path_factory.mktemp("home")
    if request.param == "server":
        return Place(home, request.getfixturevalue("mlflow_address"))
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return Place(home, mlflow_uri(home))


def steps(desk: RegistryDesk, alias: str) -> list[tuple[int | None, int | None, str]]:
    moves = desk.mover.history("iris", alias, limit=100).moves[::-1]
    return [(move.from_version, move.to_version, move.state) for move in moves]


def test_moves_form_a_chain_that_ends_where_the_alias_points(place: Place) -> None:
    desk, alias = place.desk, "chain"
    desk.mover.move(ask(1, None, alias=alias))
    plan = desk.mover.plan(ask(2, 1, alias=alias)).plan
    assert desk.mover.move(ask(2, 1, alias=alias, plan_digest=plan.digest)).plan == plan
    desk.mover.move(ask("previous", 2, alias=alias))
    desk.mover.move(ask(None, 1, alias=alias))

    assert steps(desk, alias) == [
        (None, 1, "applied"), (1, 2, "applied"), (2, 1, "applied"), (1, None, "applied"),
    ]  # fmt: skip
    assert alias not in place.other.get_registered_model("iris").aliases


@pytest.mark.parametrize("expected", [None, 2])
def test_a_stale_expectation_changes_nothing(place: Place, expected: int | None) -> None:
    desk, alias = place.desk, f"stale-{expected}".lower()
    desk.mover.move(ask(1, None, alias=alias))
    with pytest.raises(ConflictError, match="points to version 1"):
        desk.mover.move(ask(2, expected, alias=alias))
    assert steps(desk, alias) == [(None, 1, "applied")]
    assert desk.store.alias_version("iris", alias) == 1


def test_a_retry_with_its_key_moves_once_and_another_body_is_refused(place: Place) -> None:
    desk, alias = place.desk, "retry"
    first = desk.mover.move(ask(1, None, alias=alias, idempotency_key="k"))
    desk.mover.move(ask(2, 1, alias=alias))
    assert desk.mover.move(ask(1, None, alias=alias, idempotency_key="k")) == first
    with pytest.raises(ConflictError, match="was used for another move"):
        desk.mover.move(ask(1, 2, alias=alias, idempotency_key="k"))
    assert desk.store.alias_version("iris", alias) == 2


def test_a_move_of_another_client_is_recorded_and_can_be_rolled_back(place: Place) -> None:
    desk, alias = place.desk, "foreign"
    desk.mover.move(ask(1, None, alias=alias))
    place.other.set_registered_model_alias("iris", alias, "2")
    with pytest.raises(ConflictError, match="points to version 2"):
        desk.mover.move(ask(2, 1, alias=alias))
    assert desk.mover.history("iris", alias, limit=1).moves[0].actor == UNKNOWN_ACTOR
    desk.mover.move(ask("previous", 2, alias=alias))
    assert steps(desk, alias) == [(None, 1, "applied"), (1, 2, "observed"), (2, 1, "applied")]


def test_a_rollback_of_a_first_move_unsets_the_alias(place: Place) -> None:
    desk, alias = place.desk, "first"
    desk.mover.move(ask(1, None, alias=alias))
    desk.mover.move(ask("previous", 1, alias=alias))
    assert steps(desk, alias) == [(None, 1, "applied"), (1, None, "applied")]
    assert alias not in place.other.get_registered_model("iris").aliases


def test_an_alias_that_appeared_elsewhere_enters_the_history(place: Place) -> None:
    place.other.set_registered_model_alias("iris", "elsewhere", "2")
    assert steps(place.desk, "elsewhere") == [(None, 2, "observed")]


def test_of_two_data_directories_on_one_mlflow_one_wins_and_the_other_sees_it(
    place: Place, tmp_path: Path
) -> None:
    second = make_desk(tmp_path, host="there", uri=place.uri)
    place.desk.mover.move(ask(1, None, alias="shared"))
    second.mover.move(ask(2, 1, alias="shared"))
    with pytest.raises(ConflictError, match="points to version 2"):
        place.desk.mover.move(ask(2, 1, alias="shared"))
    assert steps(place.desk, "shared") == [(None, 1, "applied"), (1, 2, "observed")]


def test_of_eight_who_move_at_once_one_wins(place: Place) -> None:
    outcomes: list[str] = []

    def act(number: int) -> None:
        try:
            place.desk.mover.move(ask(1 + number % 2, None, alias="race"))
            outcomes.append("moved")
        except ConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["conflict"] * 7 + ["moved"]
    assert len(steps(place.desk, "race")) == 1


def test_a_champion_is_verified_and_unknown_versions_are_named(place: Place) -> None:
    plan = place.desk.mover.move(ask(1, None, alias="champion")).plan
    assert {check.name: check.detail for check in plan.checks}["is_verified"].endswith("intact")
    with pytest.raises(NotFoundError, match="no version 9; newest: 2, 1"):
        place.desk.mover.move(ask(9, 1, alias="champion"))


def test_a_version_goes_from_dev_to_staging_to_production(place: Place) -> None:
    desk = place.desk
    with pytest.raises(PermissionDeniedError, match="was_dev: version 2 was never @dev"):
        desk.mover.move(ask(2, None, alias="staging"))
    desk.mover.move(ask(2, None, alias="dev"))
    desk.mover.move(ask(2, None, alias="staging"))
    with pytest.raises(ApprovalRequiredError) as missing:
        desk.mover.move(ask(2, None, alias="production"))
    assert missing.value.approval_id is not None
    desk.approvals.decide(missing.value.approval_id, "approved", decided_by="ada", via="terminal")
    done = desk.mover.move(ask(2, None, alias="production")).move

    assert done is not None
    assert done.approved_by == "ada"
    assert [steps(desk, name) for name in ENVIRONMENTS] == [[(None, 2, "applied")]] * 3
    assert tag(place, 2) == "dev,staging,production"

    desk.mover.move(ask(1, 2, alias="dev"))
    assert (tag(place, 1), tag(place, 2)) == ("dev", "staging,production")
    found = place.other.search_model_versions(f"tags.`{ENVIRONMENT_TAG}` = 'staging,production'")
    assert [int(version.version) for version in found if version.name == "iris"] == [2]


def tag(place: Place, version: int) -> str:
    value: str = place.other.get_model_version("iris", str(version)).tags[ENVIRONMENT_TAG]
    return value
