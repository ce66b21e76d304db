from pathlib import Path

import pytest
from tests.registry.flowers import ask

from ml_orchestrator.errors import ApprovalRequiredError, InvalidInputError, PermissionDeniedError
from ml_orchestrator.registry.aliases import ALIAS_RULES
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.models import AliasMove
from ml_orchestrator.registry.policies import AliasPolicy, EnvironmentPolicy, PolicyBook
from ml_orchestrator.registry.store import ENVIRONMENT_TAG

FILE = """
[alias.production]
approval = "always"
agents = ["ml-orchestrator"]
[model."my.churn".alias.production]
cool_down_s = 600
[alias.blue]
gates = ["is_verified", "was_staging"]
[environment]
other = "refuse"
"""


def book(home: Path, text: str | bytes) -> PolicyBook:
    data = text if isinstance(text, bytes) else text.encode()
    (home / "policies.toml").write_bytes(data)
    return PolicyBook(home, known_gates=ALIAS_RULES)


def test_without_a_file_production_needs_a_person_and_the_rest_does_not(tmp_path: Path) -> None:
    policies = PolicyBook(tmp_path, known_gates=ALIAS_RULES)
    aliases = ("dev", "staging", "challenger", "champion", "production", "mine")
    assert [a for a in aliases if policies.of("m", a).approval != "never"] == ["production"]
    assert policies.of("m", "production").cool_down_s == 60
    assert policies.of("m", "mine") == AliasPolicy()
    assert policies.environment == EnvironmentPolicy()


def test_a_file_changes_what_it_names_for_all_models_or_one(tmp_path: Path) -> None:
    policies = book(tmp_path, FILE)
    everywhere = AliasPolicy(
        gates=("is_verified", "was_tried"),
        agents=("ml-orchestrator",),
        approval="always",
        cool_down_s=60,
    )
    assert policies.of("m", "production") == everywhere
    assert policies.of("my.churn", "production") == everywhere.model_copy(
        update={"cool_down_s": 600}
    )
    assert policies.of("m", "blue").all_gates == (
        "changes_something", "is_ready", "is_verified", "was_staging",
    )  # fmt: skip
    assert policies.environment == EnvironmentPolicy(other="refuse")
    assert policies.of("m", "champion").gates == ("is_verified",)


def test_a_changed_file_counts_from_the_next_look(tmp_path: Path) -> None:
    policies = book(tmp_path, FILE)
    assert policies.of("m", "production").approval == "always"
    (tmp_path / "policies.toml").write_text('[alias.production]\napproval = "never"\n')
    assert policies.of("m", "production").approval == "never"
    (tmp_path / "policies.toml").unlink()
    assert policies.of("m", "production").approval == "promotions"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[alias.production]\napproval = "sometimes"', r"alias\.production\.approval: Input"),
        ("[alias.production]\ncool_down_s = -1", r"alias\.production\.cool_down_s: .*got '-1'"),
        ("[alias.production]\ncool_down_s = true", r"alias\.production\.cool_down_s"),
        ("[alias.production]\ncool_down_s = nan", r"alias\.production\.cool_down_s"),
        ("[alias.production]\nagent = []", r"unknown key alias\.production\.agent"),
        ('[alias.production]\ngates = ["magic"]', r"gates names magic; known: .*is_verified"),
        ('[alias.production]\nagents = ["A b"]', "'A b' is not an agent's name"),
        ('[alias."champion\\n"]', "cannot be an alias"),
        ('[model."../x".alias.production]', "cannot be a model name"),
        ("[production]", "unknown key production"),
        ('[environment]\nmissing = "ignore"', r"environment\.missing"),
        ("[alias.production\napproval = 1", r"is not TOML: .*line 1, column"),
        (b"\xff\xfe", "is not TOML"),
        ("a = " + "[" * 5_000, "policies.toml (is|cannot)"),
        ("# " + "x" * 100_000, "at most 100000"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_names_the_line_or_the_key(
    tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        book(tmp_path, text).of("m", "production")


def test_nothing_moves_under_a_policy_that_cannot_be_read(desk: RegistryDesk, home: Path) -> None:
    (home / "policies.toml").write_text("[alias.stable]\ncool_down = 1\n")
    with pytest.raises(InvalidInputError, match=r"unknown key alias\.stable\.cool_down"):
        desk.mover.move(ask(1, None))
    assert desk.store.alias_version("iris", "stable") is None


def test_policies_of_who_may_and_how_often_hold(desk: RegistryDesk, home: Path) -> None:
    (home / "policies.toml").write_text(
        '[alias.stable]\nagents = ["infrastructure-specialist"]\ncool_down_s = 3600\n'
    )
    with pytest.raises(PermissionDeniedError, match="actor_may: may move @stable: infra"):
        desk.mover.move(ask(1, None))
    desk.mover.move(ask(1, None, actor="infrastructure-specialist"))
    with pytest.raises(PermissionDeniedError, match="cool_down: it was moved less than 3600 s"):
        desk.mover.move(ask(2, 1, actor="infrastructure-specialist"))


def test_a_rollback_needs_neither_person_nor_pause_and_the_way_forth_again_does(
    desk: RegistryDesk, home: Path
) -> None:
    (home / "policies.toml").write_text(
        '[alias.stable]\napproval = "promotions"\ncool_down_s = 1\n'
    )
    for version, expected in ((1, None), (2, 1)):
        wanted = desk.mover.ask_approval(ask(version, expected))
        assert wanted is not None
        desk.approvals.decide(wanted.id, "approved", decided_by="ada", via="terminal")
        assert tick_until_moved(desk, version, expected).approved_by == "ada"

    back = desk.mover.move(ask("previous", 2))
    assert (back.plan.is_rollback, back.plan.needs_approval) == (True, False)
    forth = desk.mover.plan(ask("previous", 1)).plan
    assert (forth.is_rollback, forth.needs_approval) == (False, True)


def test_a_first_version_is_taken_off_production_by_a_person_or_the_roll_out_that_put_it_there(
    desk: RegistryDesk, home: Path
) -> None:
    """No pause is in the way; a roll-out needs a person only if the policy wants one always."""
    desk.mover.move(ask(1, None, alias="challenger"))
    wanted = desk.mover.ask_approval(ask(1, None, alias="production"))
    assert wanted is not None
    desk.approvals.decide(wanted.id, "approved", decided_by="ada", via="terminal")
    desk.mover.move(ask(1, None, alias="production"))

    (home / "policies.toml").write_text('[alias.production]\napproval = "always"\n')
    always = desk.mover.plan(ask("previous", 1, alias="production")).plan
    (home / "policies.toml").unlink()
    for version in ("previous", None):
        with pytest.raises(ApprovalRequiredError):
            desk.mover.move(ask(version, 1, alias="production"))
    own = ask(None, 1, alias="production", reason="it fails", is_way_back=True)
    back = desk.mover.move(own)
    again = desk.mover.plan(ask(1, None, alias="production")).plan

    assert (always.is_rollback, always.needs_approval) == (True, True)
    assert (back.plan.needs_approval, back.plan.allowed, back.plan.to_version) == (
        False, True, None,
    )  # fmt: skip
    last = desk.mover.history("iris", "production", limit=1).moves[0]
    assert (last.from_version, last.to_version, last.reason) == (1, None, "it fails")
    assert (again.is_rollback, again.needs_approval) == (False, True)
    assert desk.store.version("iris", 1).tags[ENVIRONMENT_TAG] == "none"


def tick_until_moved(desk: RegistryDesk, version: int, expected: int | None) -> AliasMove:
    """Move, letting the desk's clock advance (a second at each look) through the cool-down."""
    for _ in range(10):
        try:
            moved = desk.mover.move(ask(version, expected)).move
        except PermissionDeniedError:
            continue
        assert moved is not None
        return moved
    raise AssertionError("it never cooled down")
