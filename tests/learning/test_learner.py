"""Decisions are logged with their chances, and learn from judgements given once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import new_postgres_url

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.learning.learner import Learner
from ml_orchestrator.learning.models import Decision
from ml_orchestrator.learning.policies import POLICIES
from ml_orchestrator.storage.engine import Database, open_database

CONTEXT = [0.2, 0.8]
RULES = ["clarity", "role", ["role", "clarity"], []]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    home = tmp_path_factory.mktemp("learning")
    url = f"sqlite:///{home / 'state.db'}"
    if request.param == "postgres":
        url = new_postgres_url(request.getfixturevalue("postgres_server"))
    opened = open_database(url, home)
    yield opened
    opened.close()


@pytest.fixture
def learner(store: Database) -> Learner:
    return open_learner(store)


def open_learner(store: Database, **given: object) -> Learner:
    options = {"rng": np.random.default_rng(0), "now": lambda: NOON, **given}
    return Learner(store, **options)  # type: ignore[arg-type]


def decide(learner: Learner, **given: object) -> Decision:
    options = {"agent": "ml-orchestrator", **given}
    return learner.decide(CONTEXT, RULES, **options)  # type: ignore[arg-type]


def test_a_decision_names_every_candidate_with_its_chance_and_is_in_the_log(
    learner: Learner,
) -> None:
    decision = decide(learner, policy="uniform", floor=0.2)

    assert [option.rules for option in decision.options] == [
        ["clarity"], ["role"], ["clarity", "role"], [],
    ]  # fmt: skip
    assert [option.propensity for option in decision.options] == pytest.approx([0.25] * 4)
    assert decision.chosen in [option.rules for option in decision.options]
    assert (decision.policy, decision.level, decision.floor) == ("uniform", "L1", 0.2)
    assert learner.log.find(decision.id) == decision


def test_every_candidate_keeps_its_share_of_the_floor_whatever_was_learned(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    learner = open_learner(database)
    for _ in range(60):
        decision = decide(learner, policy="uniform", floor=1.0)
        is_good = decision.chosen == ["role"]
        learner.feedback(decision.id, agent="a", verdict="accepted" if is_good else "rejected")

    for policy in POLICIES:
        chances = [option.propensity for option in decide(learner, policy=policy).options]
        assert min(chances) >= 0.1 / 4 - 1e-12
        assert sum(chances) == pytest.approx(1)
        if policy != "uniform":
            assert chances[1] == max(chances)
            assert chances[1] > 0.8
    database.close()


def test_the_same_feedback_again_changes_nothing_and_says_so(learner: Learner) -> None:
    decision = decide(learner)
    first = learner.feedback(decision.id, agent="first", verdict="edited")

    again = learner.feedback(decision.id, agent="second", verdict="edited")

    assert (first.reward, first.level, first.rules, first.is_repeat) == (
        0.7, "L1", decision.chosen, False,
    )  # fmt: skip
    assert again == first.model_copy(update={"is_repeat": True})


def test_a_different_second_verdict_is_refused_and_another_kind_is_taken(
    learner: Learner,
) -> None:
    decision = decide(learner)
    learner.feedback(decision.id, agent="a", verdict="accepted")

    with pytest.raises(ConflictError, match=r"has outcome feedback already: accepted, by a at"):
        learner.feedback(decision.id, agent="a", verdict="rejected")
    of_the_task = learner.feedback(decision.id, agent="a", kind="task", reward=0.25)

    assert (of_the_task.reward, of_the_task.level) == (0.25, "L2")


def test_feedback_on_an_unknown_decision_says_what_to_do(learner: Learner) -> None:
    with pytest.raises(NotFoundError, match=r"No decision 'nobody'.*exactly as it was returned"):
        learner.feedback("nobody", agent="a", verdict="accepted")


@pytest.mark.parametrize(
    "given",
    [{}, {"verdict": "accepted", "reward": 1.0}, {"reward": 1.5}, {"reward": float("nan")}],
)
def test_feedback_that_cannot_be_read_is_refused(learner: Learner, given: dict[str, float]) -> None:
    decision = decide(learner)

    with pytest.raises(InvalidInputError, match=r"either a verdict|must lie in 0\.\.1"):
        learner.feedback(decision.id, agent="a", **given)  # type: ignore[arg-type]


def test_feedback_that_comes_late_is_learned_from(store: Database) -> None:
    year = open_learner(store, now=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    early = decide(open_learner(store))
    before = decide(year).n_judged

    year.feedback(early.id, agent="a", verdict="accepted")

    assert decide(year).n_judged == before + 1


def test_what_was_learned_is_the_same_after_a_restart_and_in_another_process(
    store: Database,
) -> None:
    first, beside = open_learner(store), open_learner(store)
    rng = np.random.default_rng(5)
    for _ in range(66):
        decision = first.decide(rng.random(2).tolist(), RULES, agent="a")
        first.feedback(decision.id, agent="a", reward=float(rng.random()))
    beside_sees = decide(beside).n_judged

    fresh = open_learner(store)

    chances = [[o.propensity for o in decide(one).options] for one in (first, beside, fresh)]
    assert chances[0] == pytest.approx(chances[1], abs=1e-9)
    assert chances[0] == pytest.approx(chances[2], abs=1e-9)
    assert decide(fresh).n_judged == beside_sees


def test_the_same_rows_are_held_after_a_restart_however_many_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_orchestrator.learning.evidence.BLOCK", 70)
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    running, rng = open_learner(database), np.random.default_rng(5)
    held = []
    for n in range(1, 231):
        decision = running.decide(rng.random(2).tolist(), RULES, agent="a")
        running.feedback(decision.id, agent="a", reward=float(rng.random()))
        if n in (139, 140, 209, 230):
            fresh = open_learner(database)
            for policy in POLICIES:
                at_once, before = (decide(one, policy=policy) for one in (fresh, running))
                assert at_once.n_judged == before.n_judged
                assert at_once.options == before.options
            held.append(at_once.n_judged)

    assert held == [139, 70, 139, 90]
    database.close()


def test_contexts_of_another_length_are_learned_from_apart(learner: Learner) -> None:
    known = decide(learner).n_judged
    other = learner.decide([0.1, 0.2, 0.3], RULES, agent="a")
    learner.feedback(other.id, agent="a", verdict="accepted")

    assert decide(learner).n_judged == known
    assert learner.decide([0.1, 0.2, 0.3], RULES, agent="a").n_judged == 1


def test_the_oldest_decisions_make_room_with_their_feedback(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    learner = open_learner(database, most_kept=20)
    ids = [decide(learner).id for _ in range(40)]
    for decision_id in ids:
        learner.feedback(decision_id, agent="a", verdict="accepted")
    for _ in range(20):
        decide(learner)

    assert learner.log.count() == (30, 10)
    with pytest.raises(NotFoundError, match="the newest 20 are kept"):
        learner.feedback(ids[0], agent="a", verdict="accepted")
    assert decide(open_learner(database)).n_judged == 10
    database.close()


def test_a_verdict_after_the_oldest_went_is_learned_by_those_that_run_already(
    tmp_path: Path,
) -> None:
    """The newest number goes with an old decision; it must not be given to the next verdict."""
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    learner = open_learner(database, most_kept=100)
    ids = [decide(learner).id for _ in range(149)]
    learner.feedback(ids[0], agent="a", verdict="accepted")
    assert decide(learner).n_judged == 1  # the 150th decision: the oldest 50 go

    learner.feedback(ids[-1], agent="a", verdict="rejected")

    running, fresh = decide(learner), decide(open_learner(database))
    assert running.n_judged == fresh.n_judged == 2
    assert [o.propensity for o in running.options] == [o.propensity for o in fresh.options]
    database.close()


@pytest.mark.parametrize(
    ("context", "candidates", "said"),
    [
        ([], RULES, "list of 1 to 64 numbers"),
        ([1.2], RULES, "must lie in 0..1"),
        ([float("nan")], RULES, "must lie in 0..1"),
        ([0.5], [], "1 to 200 candidates; found 0"),
        ([0.5], ["role", ["role"]], "more than once: role"),
        ([0.5], ["r" * 600], "at most 512 letters; one has 600"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    learner: Learner, context: list[float], candidates: list[str], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        learner.decide(context, candidates, agent="a")


def test_an_unknown_policy_names_the_known_ones(learner: Learner) -> None:
    with pytest.raises(NotFoundError, match=r"No policy named 'best'; known: .*thompson"):
        decide(learner, policy="best")


def test_of_many_that_judge_at_once_one_is_the_first(store: Database) -> None:
    learner = open_learner(store)
    decision = decide(learner)

    def judge(n: int) -> bool:
        agent = f"agent-{n}"
        return learner.feedback(decision.id, agent=agent, verdict="accepted").is_repeat

    with ThreadPoolExecutor(6) as pool:
        repeats = list(pool.map(judge, range(6)))

    assert sorted(repeats) == [False, True, True, True, True, True]
