import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.registry.flowers import ask, log_flowers, make_desk, mlflow_uri

from ml_orchestrator.errors import (
    ApprovalRequiredError,
    ConflictError,
    IntegrityViolationError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.journal import UNKNOWN_ACTOR
from ml_orchestrator.registry.moves import MoveRequest


def steps(desk: RegistryDesk, alias: str = "stable") -> list[tuple[int | None, int | None, str]]:
    """The history, oldest first: from, to, state."""
    moves = desk.mover.history("iris", alias, limit=100).moves
    return [(move.from_version, move.to_version, move.state) for move in reversed(moves)]


def tampered(desk: RegistryDesk, home: Path) -> int:
    """Change the files of a version, and return which."""
    skops_file = next((home / "mlartifacts").rglob("model.skops"))
    skops_file.write_bytes(skops_file.read_bytes() + b"\0")
    return next(v for v in (1, 2) if not desk.vault.verify("iris", v).ok)


def test_a_move_is_kept_with_who_why_from_and_to(desk: RegistryDesk) -> None:
    result = desk.mover.move(ask(1, None, evidence="run 7"))

    assert result.plan.allowed
    assert result.previous_version is None
    move = desk.mover.history("iris", "stable", limit=5).moves[0]
    assert move == result.move
    assert (move.actor, move.reason, move.evidence) == ("ml-orchestrator", "a test", "run 7")
    assert (move.from_version, move.to_version, move.state) == (None, 1, "applied")
    assert desk.store.alias_version("iris", "stable") == 1


@pytest.mark.parametrize("expected", [None, 2])
def test_a_stale_expectation_names_the_real_version_and_changes_nothing(
    desk: RegistryDesk, expected: int | None
) -> None:
    desk.mover.move(ask(1, None))
    before = steps(desk)

    with pytest.raises(ConflictError, match="points to version 1"):
        desk.mover.move(ask(2, expected))

    assert steps(desk) == before
    assert desk.store.alias_version("iris", "stable") == 1


def test_a_move_to_where_the_alias_is_says_that_nothing_is_to_do(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None))
    with pytest.raises(ConflictError, match="points to version 1 already; there is nothing to do"):
        desk.mover.move(ask(1, None))


def test_a_dry_run_writes_nothing_and_its_digest_binds_the_move(desk: RegistryDesk) -> None:
    plan = desk.mover.plan(ask(1, None)).plan
    assert steps(desk) == []

    with pytest.raises(ConflictError, match="dry run again"):
        desk.mover.move(ask(2, None, plan_digest=plan.digest))
    assert steps(desk) == []

    assert desk.mover.move(ask(1, None, plan_digest=plan.digest)).plan == plan


def test_a_move_is_planned_anew_if_its_alias_went_away_and_came_back_meanwhile(
    desk: RegistryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back to 1 is a rollback when looked at, and after 2 -> unset -> 2 no longer one."""
    alias = "champion"
    desk.mover.move(ask(1, None, alias=alias))
    desk.mover.move(ask(2, 1, alias=alias))
    looked_at = desk.mover.plan(ask(1, 2, alias=alias)).plan
    allowed, looks = desk.mover._allowed, []

    def overtaken(request: MoveRequest, *given: Any) -> Any:
        found = allowed(request, *given)
        looks.append(request)
        if len(looks) == 1:
            desk.mover.move(ask(None, 2, alias=alias))
            desk.mover.move(ask(2, None, alias=alias))
        return found

    monkeypatch.setattr(desk.mover, "_allowed", overtaken)
    with pytest.raises(ConflictError, match="no longer the one that was looked at"):
        desk.mover.move(ask(1, 2, alias=alias, plan_digest=looked_at.digest))

    assert looked_at.is_rollback
    assert desk.store.alias_version("iris", alias) == 2
    done = desk.mover.move(ask(1, 2, alias=alias))
    assert not done.plan.is_rollback


def test_previous_rolls_back_and_forth(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None))
    desk.mover.move(ask(2, 1))

    desk.mover.move(ask("previous", 2))
    assert desk.store.alias_version("iris", "stable") == 1
    desk.mover.move(ask("previous", 1))

    assert steps(desk) == [
        (None, 1, "applied"),
        (1, 2, "applied"),
        (2, 1, "applied"),
        (1, 2, "applied"),
    ]


def test_a_rollback_of_a_first_move_leaves_the_alias_unset_and_is_kept(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None))
    with pytest.raises(ConflictError, match="points to version 1"):
        desk.mover.move(ask("previous", None))

    back = desk.mover.move(ask("previous", 1))
    forth = desk.mover.plan(ask("previous", None)).plan

    assert (back.plan.to_version, back.plan.is_rollback, back.previous_version) == (None, True, 1)
    assert (forth.to_version, forth.is_rollback) == (1, False)
    assert desk.store.alias_version("iris", "stable") is None
    assert steps(desk) == [(None, 1, "applied"), (1, None, "applied")]


def test_without_a_history_a_rollback_says_so(desk: RegistryDesk, home: Path) -> None:
    with pytest.raises(NotFoundError, match="not on record where @stable of 'iris' pointed"):
        desk.mover.move(ask("previous", None))


def test_of_an_alias_that_was_found_set_nobody_knows_where_it_pointed_before(
    desk: RegistryDesk, home: Path
) -> None:
    """Its log begins after it was set, as where an old MLflow database is taken over."""
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute("DROP TRIGGER ml_orchestrator_alias_insert")
    client = MlflowClient(mlflow_uri(home), mlflow_uri(home))
    client.set_registered_model_alias("iris", "stable", "1")

    with pytest.raises(NotFoundError, match="or null to remove it"):
        desk.mover.plan(ask("previous", 1))
    removal = desk.mover.plan(ask(None, 1)).plan

    assert steps(desk) == [(None, 1, "observed")]
    assert not removal.is_rollback


def test_a_first_move_of_another_client_can_be_rolled_back(desk: RegistryDesk, home: Path) -> None:
    client = MlflowClient(mlflow_uri(home), mlflow_uri(home))
    client.set_registered_model_alias("iris", "champion", "2")

    assert desk.mover.move(ask("previous", 2, alias="champion")).plan.is_rollback

    assert steps(desk, "champion") == [(None, 2, "observed"), (2, None, "applied")]


def test_an_alias_can_be_removed_and_the_removal_is_kept(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None))
    desk.mover.move(ask(None, 1))
    assert desk.store.alias_version("iris", "stable") is None
    assert steps(desk)[-1] == (1, None, "applied")
    with pytest.raises(ConflictError, match="already is unset"):
        desk.mover.move(ask(None, None))


def test_a_retry_with_its_key_returns_the_first_move(desk: RegistryDesk) -> None:
    first = desk.mover.move(ask(1, None, idempotency_key="k1"))
    desk.mover.move(ask(2, 1))

    assert desk.mover.move(ask(1, None, idempotency_key="k1")) == first
    assert desk.store.alias_version("iris", "stable") == 2


def test_a_key_with_another_body_is_refused(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None, idempotency_key="k1"))
    with pytest.raises(ConflictError, match="was used for another move"):
        desk.mover.move(ask(2, 1, idempotency_key="k1"))
    with pytest.raises(ConflictError, match="was used for another move"):
        desk.mover.move(ask(1, None, alias="other", idempotency_key="k1"))
    assert desk.store.alias_version("iris", "stable") == 1


def test_moves_of_another_client_are_recorded_and_can_be_rolled_back(
    desk: RegistryDesk, home: Path
) -> None:
    desk.mover.move(ask(1, None))
    MlflowClient(mlflow_uri(home), mlflow_uri(home)).set_registered_model_alias(
        "iris", "stable", "2"
    )

    with pytest.raises(ConflictError, match="points to version 2"):
        desk.mover.move(ask(2, 1))

    assert desk.mover.history("iris", "stable", limit=1).moves[0].actor == UNKNOWN_ACTOR
    assert steps(desk) == [(None, 1, "applied"), (1, 2, "observed")]
    assert desk.mover.move(ask("previous", 2)).plan.to_version == 1
    assert desk.mover.reconcile().observed == ()


def test_an_alias_that_only_another_client_knows_enters_the_list(
    desk: RegistryDesk, home: Path
) -> None:
    client = MlflowClient(mlflow_uri(home), mlflow_uri(home))
    client.set_registered_model_alias("iris", "stable", "2")
    client.set_registered_model_alias("iris", "Odd", "1")

    moves = desk.mover.moves_of("iris", limit=10)

    assert [(m.alias, m.from_version, m.to_version) for m in moves] == [("stable", None, 2)]


def test_production_takes_only_what_was_tried(desk: RegistryDesk, home: Path) -> None:
    (home / "policies.toml").write_text('[alias.production]\napproval = "never"\n')
    with pytest.raises(PermissionDeniedError, match="was_tried"):
        desk.mover.move(ask(1, None, alias="production"))

    desk.mover.move(ask(1, None, alias="challenger"))
    desk.mover.move(ask(2, 1, alias="challenger"))

    assert desk.mover.move(ask(1, None, alias="production")).plan.allowed


def test_what_was_rolled_back_was_not_tried_until_it_stands_there_again(
    desk: RegistryDesk, home: Path
) -> None:
    (home / "policies.toml").write_text('[alias.production]\napproval = "never"\n')
    desk.mover.move(ask(1, None, alias="champion"))
    desk.mover.move(ask(2, 1, alias="champion"))
    desk.mover.move(ask("previous", 2, alias="champion"))
    with pytest.raises(PermissionDeniedError, match=r"2 was never @champion.*or was rolled back"):
        desk.mover.move(ask(2, None, alias="production"))
    assert desk.mover.plan(ask(1, None, alias="production")).plan.allowed

    desk.mover.move(ask(2, 1, alias="champion"))
    desk.mover.move(ask(None, 2, alias="champion"))  # taken off, not rolled back
    assert desk.mover.move(ask(2, None, alias="production")).plan.allowed


def test_a_person_may_let_rules_go_and_that_is_kept(desk: RegistryDesk) -> None:
    against = ask(2, None, alias="production", actor="ada", is_override=True)
    with pytest.raises(ApprovalRequiredError) as missing:
        desk.mover.move(against)
    approval_id = str(missing.value.approval_id)
    asked = desk.approvals.find(approval_id)
    assert "against its rules (was_tried: version 2 was never" in asked.summary
    desk.approvals.decide(approval_id, "approved", decided_by="ada", via="terminal")
    with pytest.raises(PermissionDeniedError, match="was_tried"):  # as usual it is still forbidden
        desk.mover.move(ask(2, None, alias="production", actor="ada"))

    done = desk.mover.move(against).move

    assert done is not None
    assert (done.approved_by, done.overrides, done.state) == ("ada", ("was_tried",), "applied")
    assert desk.mover.history("iris", "production", limit=1).moves == (done,)
    with pytest.raises(ConflictError, match="so there is nothing to override"):
        desk.mover.plan(ask(1, None, alias="challenger", is_override=True))


def test_nobody_lets_go_what_must_hold(desk: RegistryDesk, home: Path) -> None:
    bad = tampered(desk, home)
    with pytest.raises(IntegrityViolationError, match="is_verified") as refused:
        desk.mover.move(ask(bad, None, alias="production", is_override=True))
    assert "was_tried" not in str(refused.value)  # that could be let go
    desk.mover.move(ask(1, None, alias="dev"))
    with pytest.raises(ConflictError, match="already points to version 1"):
        desk.mover.move(ask(1, 1, alias="dev", is_override=True))
    assert desk.approvals.recent(limit=9) == ()


def test_the_champion_cannot_challenge_itself(desk: RegistryDesk) -> None:
    desk.mover.move(ask(1, None, alias="champion"))
    with pytest.raises(PermissionDeniedError, match="is @champion already"):
        desk.mover.move(ask(1, None, alias="challenger"))


@pytest.mark.parametrize("alias", ["champion", "challenger", "production"])
def test_protected_aliases_refuse_a_tampered_version_and_others_do_not(
    desk: RegistryDesk, home: Path, alias: str
) -> None:
    bad = tampered(desk, home)

    with pytest.raises(IntegrityViolationError, match=r"changed: model\.skops"):
        desk.mover.move(ask(bad, None, alias=alias))
    assert steps(desk, alias) == []

    assert desk.mover.move(ask(bad, None)).plan.allowed


def test_protected_aliases_refuse_a_version_that_another_client_registered(
    desk: RegistryDesk, home: Path
) -> None:
    logged = log_flowers(home, "foreign")
    MlflowClient(mlflow_uri(home), mlflow_uri(home)).create_model_version(
        "iris", source=str(logged.directory), run_id=logged.run_id
    )

    with pytest.raises(IntegrityViolationError, match="registered by another client"):
        desk.mover.move(ask(3, None, alias="champion"))


def test_unknown_versions_and_models_name_what_is_known(desk: RegistryDesk) -> None:
    with pytest.raises(NotFoundError, match="has no version 9; newest: 2, 1"):
        desk.mover.move(ask(9, None))
    with pytest.raises(
        NotFoundError,
        match=r"No registered model named 'rose' in the data directory .*; known: iris",
    ):
        desk.mover.history("rose", "stable", limit=5)


@pytest.mark.parametrize(
    "given",
    [
        {"alias": "Champion"},
        {"alias": "champion\n"},
        {"alias": "../x"},
        {"alias": "latest"},
        {"alias": "v2"},
        {"version": True},
        {"version": 0},
        {"version": "newest"},
        {"actor": "a" * 65},
        {"reason": "x" * 5_000},
        {"reason": "a\0b"},
        {"idempotency_key": "k" * 129},
    ],
)
def test_odd_requests_are_refused(given: dict[str, object]) -> None:
    version = given.pop("version", 1)
    with pytest.raises(InvalidInputError):
        ask(version, None, **given)  # type: ignore[arg-type]


def test_an_intent_of_another_host_blocks_until_it_is_old(home: Path, desk: RegistryDesk) -> None:
    other = make_desk(home, host="there")
    plan = desk.mover.plan(ask(1, None)).plan
    begin_elsewhere(other, plan)

    with pytest.raises(ConflictError, match="being moved by there"):
        desk.mover.move(ask(1, None))

    for _ in range(60):  # the clock advances one second at each look
        desk.mover._now()
    assert desk.mover.move(ask(1, None)).plan.allowed
    assert steps(desk) == [(None, 1, "abandoned"), (None, 1, "applied")]


def begin_elsewhere(desk: RegistryDesk, plan: object) -> None:
    from ml_orchestrator.registry.journal import Intent

    desk.mover._journal.begin(
        Intent(
            plan=plan,  # type: ignore[arg-type]
            actor="a",
            reason="r",
            evidence=None,
            idempotency_key=None,
            request_digest="d",
        )
    )
