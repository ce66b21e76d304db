"""The plan against a small world that does what it says, with luck of every kind."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ml_orchestrator.serving.control import ServingState, SlotStats, Traffic
from ml_orchestrator.serving.rollout import actions as do
from ml_orchestrator.serving.rollout.actions import Decision, Facts, Rollout, Turn
from ml_orchestrator.serving.rollout.gates import Measured, Tally
from ml_orchestrator.serving.rollout.models import Choice, Progress, RolloutSpec
from ml_orchestrator.serving.rollout.phases import ALONE
from ml_orchestrator.serving.rollout.plan import plan_next
from ml_orchestrator.serving.rollout.turns import go_back

OLD, NEW = 1, 2
MOST_ACTIONS = 3_000
SPECS: tuple[dict[str, Any], ...] = (
    {"bake_s": 30},
    {"strategy": "all_at_once", "bake_s": 0, "gates": []},
    {"strategy": "shadow", "shadow_s": 20, "bake_s": 20},
    {"strategy": "canary", "bake_s": 20, "pause_limit_s": 60,
     "steps": [{"percent": 10, "pause_s": 20}, {"percent": 50, "pause_s": None},
               {"percent": 100}]},
    {"approval": "before_promotion", "bake_s": 20, "pause_limit_s": 100},
)  # fmt: skip
LUCK = {"success": 0.0, "failure": 1.0, "inconclusive": None}


@dataclass
class Game:
    """The world of one walk: effects happen at once, and luck decides what is measured."""

    rng: random.Random
    bad_luck: float = 0.0
    now: float = 1_000.0
    blue: int | None = OLD
    green: int | None = None
    traffic: Traffic = ALONE
    generation: int = 0
    alias: int | None = OLD
    silent_until: float = 0.0
    decisions: list[Decision] = field(default_factory=list)
    approval: Any = "none"
    told: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def facts(self, rollout: Rollout) -> Facts:
        serving = ServingState(
            model="m", generation=self.generation, blue=self.blue, green=self.green,
            traffic=self.traffic,
        )  # fmt: skip
        unseen = [d for d in self.decisions if d.seq > rollout.progress.decisions_seen]
        return Facts(
            now=self.now,
            serving=None if self.now < self.silent_until else serving,
            alias_version=self.alias,
            decision=unseen[0] if unseen else None,
            approval=self.approval if rollout.progress.approval_id else "none",
            approved_by="ada",
        )

    def play(self, rollout: Rollout, action: do.Action) -> Rollout:
        self.now += 0.01
        self.done.append(type(action).__name__)
        turn = action if isinstance(action, Turn) else self._play(rollout, action)
        return rollout if turn is None else self._record(rollout, turn)

    def _play(self, rollout: Rollout, action: do.Action) -> Turn | None:
        turn: Turn | None = None
        match action:
            case do.Verify(then):
                turn = then
            case do.Tell(then):
                self.told.append(then.state)
                turn = then
            case do.Wait(seconds):
                assert 0 < seconds <= 0.5
                self.now += seconds
            case do.KeepBaseline():
                turn = Turn(rollout.state, {"baseline": STATS})
            case do.MoveAlias(way, then):
                self.alias = NEW if way == "forward" else rollout.from_version
                turn = then
            case do.AskApproval():
                self.approval = "pending"
                turn = Turn("paused", {"approval_id": "a"})
            case do.Measure(gates):
                turn = self._measure(rollout, gates)
            case _:
                turn = self._serve(rollout, action)
        return turn

    def _serve(self, rollout: Rollout, action: do.Action) -> Turn | None:
        if isinstance(action, do.Load):
            if self.rng.random() < self.bad_luck and rollout.state == "loading":
                return go_back(rollout, self.now, "it died")
            self.green = action.version
        elif isinstance(action, do.SetTraffic | do.Swap | do.Unload | do.Retire):
            assert action.generation == self.generation
            if isinstance(action, do.SetTraffic):
                assert self.green is not None or action.traffic.mode == "single"
                self.traffic = action.traffic
            elif isinstance(action, do.Retire):
                assert self.blue == NEW
                self.blue, self.traffic = None, Traffic()
            elif isinstance(action, do.Swap):
                assert self.green is not None
                self.blue, self.green, self.traffic = self.green, self.blue, Traffic()
            else:
                self.green = None
        self.generation += 1
        return None

    def _measure(self, rollout: Rollout, gates: Any) -> Turn:
        tallies = dict(rollout.progress.tallies)
        for gate in gates:
            luck = self.rng.choice(["failure", "inconclusive", "error"])
            luck = luck if self.rng.random() < self.bad_luck else "success"
            measured = Measured(value=LUCK.get(luck), detail=luck, is_error=luck == "error")
            before = tallies.get(gate.metric, Tally())
            tallies[gate.metric] = before.add(gate.judge(measured), measured, at=self.now)
        return Turn(rollout.state, {"tallies": tallies})

    def _record(self, rollout: Rollout, turn: Turn) -> Rollout:
        if turn.state != rollout.state:
            self.seen.append(turn.state)
        progress = rollout.progress.model_copy(update=dict(turn.changes))
        return replace(rollout, state=turn.state, progress=progress)


STATS = SlotStats(
    version=OLD, window_s=1, n_requests=0, n_errors=0, p50_ms=None, p95_ms=None, p99_ms=None,
    predictions=(),
)  # fmt: skip


def fresh(spec: dict[str, Any], **given: Any) -> Rollout:
    content: dict[str, Any] = {
        "id": "rollout-1", "model": "m", "alias": "champion", "version": NEW, "from_version": OLD,
        "actor": "me", "spec": RolloutSpec.model_validate(spec), "state": "pending",
        "progress": Progress(), "epoch": 1, "created_at": "", "updated_at": "",
    }  # fmt: skip
    return Rollout(**{**content, **given})


def walk(game: Game, rollout: Rollout, disturb: Any = lambda _: None) -> Rollout:
    for _ in range(MOST_ACTIONS):
        if rollout.is_over:
            return rollout
        disturb(rollout)
        rollout = game.play(rollout, plan_next(rollout, game.facts(rollout)))
    raise AssertionError(f"it goes on for ever in {rollout.state}: {game.done[-8:]}")


def assert_agreement(game: Game, rollout: Rollout) -> None:
    kept = NEW if rollout.state == "promoted" else rollout.from_version
    endings = [state for state in game.told if state != "paused"]
    assert (game.alias, endings) == (kept, [rollout.state])
    assert len(game.told) - 1 <= rollout.progress.n_pauses
    if rollout.progress.pointer_refusal is None:  # else the server kept silent all the time
        assert (game.blue, game.green, game.traffic) == (kept, None, Traffic())


@pytest.mark.parametrize("spec", SPECS)
def test_with_good_luck_and_a_willing_person_every_strategy_is_promoted(
    spec: dict[str, Any],
) -> None:
    game = Game(random.Random(0))

    def help_out(rollout: Rollout) -> None:
        if rollout.progress.paused_for == "hold" and not game.decisions:
            game.decisions.append(Decision(1, "resume", "ada", "go on"))
        if game.approval == "pending":
            game.approval = "granted"

    ended = walk(game, fresh(spec), help_out)

    assert ended.state == "promoted", ended.progress.reason
    assert_agreement(game, ended)


def test_every_walk_with_every_kind_of_luck_ends_with_pointer_and_alias_agreeing() -> None:
    rng, endings, states = random.Random(1), Counter[str](), Counter[str]()
    for number in range(240):
        game = Game(rng, bad_luck=rng.choice([0.0, 0.02, 0.3]))
        rollout = fresh(SPECS[number % len(SPECS)])
        ended = walk(game, rollout, lambda found, game=game: _disturb(game, found, rng))
        assert_agreement(game, ended)
        endings[ended.state] += 1
        states.update(game.seen)

    assert min(endings[e] for e in ("promoted", "rolled_back", "aborted")) > 8, endings
    assert set(states) >= {
        "verifying", "loading", "green_ready", "canary", "shadow", "baking", "paused",
        "rolling_back",
    }  # fmt: skip


@pytest.mark.parametrize("blue", [None, NEW])
def test_every_walk_of_a_first_version_ends_with_it_or_with_nothing(blue: int | None) -> None:
    rng, endings = random.Random(2), Counter[str]()
    specs = [spec for spec in SPECS if spec.get("strategy") not in ("canary", "shadow")]
    for number in range(90):
        game = Game(rng, bad_luck=rng.choice([0.0, 0.05, 0.3]), blue=blue, alias=None)
        rollout = fresh(specs[number % len(specs)], from_version=None)
        ended = walk(game, rollout, lambda found, game=game: _disturb(game, found, rng))
        is_silent = game.now < game.silent_until
        if not is_silent and (blue is None or ended.progress.phase):
            assert_agreement(game, ended)
        assert game.alias == (NEW if ended.state == "promoted" else None)
        endings[ended.state] += 1

    assert min(endings[e] for e in ("promoted", "rolled_back", "aborted")) > 3, endings


def _disturb(game: Game, rollout: Rollout, rng: random.Random) -> None:
    if rng.random() < 0.002:
        game.silent_until = game.now + rng.choice([1.0, 50.0])
    if rng.random() < 0.006 and len(game.decisions) < 6:
        choices: list[Choice] = ["pause", "resume", "abort", "rollback", "promote", "resume"]
        choice = rng.choice(choices)
        game.decisions.append(Decision(len(game.decisions) + 1, choice, "ada", "why"))
    if game.approval == "pending" and rng.random() < 0.05:
        game.approval = rng.choice(["granted", "granted", "denied"])


def test_undecided_gates_pause_and_an_unattended_pause_goes_back() -> None:
    game = Game(random.Random(0))
    game._measure = lambda rollout, gates: Turn(  # type: ignore[method-assign]
        rollout.state,
        {"tallies": {g.metric: Tally(n_inconclusive=9, last="inconclusive", last_at=game.now)
                     for g in gates}},
    )  # fmt: skip
    ended = walk(game, fresh({"bake_s": 10, "pause_limit_s": 30}))

    assert game.seen.count("paused") == 1
    assert ended.state == "rolled_back"
    assert ended.progress.reason == "Nobody ended the pause in time."
    assert_agreement(game, ended)


def test_the_pointer_goes_back_before_the_alias() -> None:
    game = Game(random.Random(0))
    seen: list[tuple[int | None, int | None]] = []

    def abort_in_bake(rollout: Rollout) -> None:
        if rollout.progress.has_moved_alias and not game.decisions:
            game.decisions.append(Decision(1, "abort", "ada", "enough"))
        if rollout.state == "rolling_back":
            seen.append((game.blue, game.alias))

    ended = walk(game, fresh({"bake_s": 60}), abort_in_bake)

    assert ended.state == "aborted"
    assert list(dict.fromkeys(seen)) == [(NEW, NEW), (OLD, NEW), (OLD, OLD)]


def test_a_server_that_stays_silent_gets_its_alias_back_so_that_it_starts_with_the_old() -> None:
    game = Game(random.Random(0))

    def silence(rollout: Rollout) -> None:
        if rollout.progress.has_moved_alias and not game.silent_until:
            game.silent_until = 1e12

    ended = walk(game, fresh({"bake_s": 60, "pause_limit_s": 100}), silence)

    assert (ended.state, game.alias, game.told) == ("rolled_back", OLD, ["rolled_back"])
    assert "gave no answer" in str(ended.progress.pointer_refusal)


def test_an_alias_moved_by_somebody_else_is_left_where_they_put_it() -> None:
    game = Game(random.Random(0))

    def meddle(rollout: Rollout) -> None:
        if rollout.state == "baking" and rollout.progress.phase_started_at is not None:
            game.alias = 7

    ended = walk(game, fresh({"bake_s": 60}), meddle)

    assert (ended.state, game.alias, game.blue) == ("rolled_back", 7, OLD)
    assert "Somebody else moved @champion to 7" in str(ended.progress.reason)


def test_the_first_version_is_promoted_where_the_server_came_up_with_it() -> None:
    game = Game(random.Random(0), blue=NEW, alias=None)

    ended = walk(game, fresh({"bake_s": 1, "gates": [{"metric": "health"}]}, from_version=None))

    assert (ended.state, game.alias, game.blue) == ("promoted", NEW, NEW)
