from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.registry.aliases import ALIAS_RULES, Move, plan_move
from ml_orchestrator.registry.models import Check, ModelVersion, VerifyReport
from ml_orchestrator.registry.policies import DEFAULTS, AliasPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


RESTING = AliasPolicy(cool_down_s=10)


def target(version: int = 2, **given: Any) -> ModelVersion:
    content: dict[str, Any] = {
        "model": "iris",
        "version": version,
        "run_id": "r",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "aliases": (),
        "tags": {},
        "metrics": {},
        "status": "READY",
        "manifest_digest": "d",
    }
    return ModelVersion(**{**content, **given})


def verified(*, ok: bool = True) -> VerifyReport:
    return VerifyReport(
        model="iris",
        version=2,
        ok=ok,
        checks=(Check(name="no_changed_files", ok=ok, detail="changed: model.skops"),),
        manifest_digest="d",
        n_files=1,
        size_bytes=1,
    )


def move(alias: str = "champion", **given: Any) -> Move:
    content: dict[str, Any] = {
        "model": "iris",
        "alias": alias,
        "current_version": 1,
        "target": target(),
        "verification": verified(),
        "held_aliases": frozenset(),
        "policy": DEFAULTS.get(alias, AliasPolicy()),
        "actor": "ml-orchestrator",
        "is_rollback": False,
        "last_moved_at": None,
        "now": NOW,
    }
    return Move(**{**content, **given})


def broken(move: Move) -> list[str]:
    plan = plan_move(move, expected_version=move.current_version)
    failed = [check.name for check in plan.checks if not check.ok]
    assert plan.allowed == (failed == [])
    return failed


def test_the_rules_of_every_default_policy_are_registered() -> None:
    used = {name for policy in DEFAULTS.values() for name in policy.all_gates}
    assert used == set(ALIAS_RULES) - {"was_staging"}


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        (move(), []),
        (move(verification=verified(ok=False)), ["is_verified"]),
        (move(verification=None), ["is_verified"]),
        (move(target=target(1)), ["changes_something"]),
        (move(target=target(status="PENDING_REGISTRATION")), ["is_ready"]),
        (move(target=None), []),
        (move(current_version=None, target=None), ["changes_something"]),
        (move("challenger", target=target(aliases=("champion",))), ["is_not_champion"]),
        (move("production"), ["was_tried"]),
        (move("production", held_aliases=frozenset({"challenger"})), []),
        (move("production", held_aliases=frozenset({"staging"})), []),
        (move("staging"), ["was_dev"]),
        (move("staging", held_aliases=frozenset({"dev"})), []),
        (move("dev", verification=None), []),
        (move("stable", verification=None), []),
        (move("stable", policy=AliasPolicy(gates=("was_staging",))), ["was_staging"]),
        (move("stable", policy=AliasPolicy(agents=())), ["actor_may"]),
        (move("stable", policy=AliasPolicy(agents=("ml-orchestrator:ml-orchestrator",))), []),
        (move("stable", policy=RESTING), []),
        (move("stable", policy=RESTING, last_moved_at=NOW - timedelta(seconds=9)), ["cool_down"]),
        (move("stable", policy=RESTING, last_moved_at=NOW - timedelta(seconds=10)), []),
        (move("stable", policy=RESTING, last_moved_at=NOW, is_rollback=True), []),
    ],
)
def test_rules(asked: Move, rules: list[str]) -> None:
    assert broken(asked) == rules


@pytest.mark.parametrize("expected", [None, 2, 7])
def test_another_expectation_is_a_conflict_that_names_the_real_version(
    expected: int | None,
) -> None:
    with pytest.raises(ConflictError, match="points to version 1, not as expected"):
        plan_move(move(), expected_version=expected)


def test_the_digest_follows_everything_the_plan_says() -> None:
    digests = [
        plan_move(asked, expected_version=asked.current_version).digest
        for asked in (
            move(),
            move("stable"),
            move(target=target(3)),
            move(current_version=None),
            move(verification=verified(ok=False)),
            move(target=None),
        )
    ]
    assert len(set(digests)) == len(digests)
    assert plan_move(move(), expected_version=1).digest == digests[0]
