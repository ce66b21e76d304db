"""A worker of an earlier release makes room for runs that it does not take; a newer one stays."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.orchestration.workflow_bench import LIMIT_S, Bench, until

from ml_orchestrator.child_environment import child_environment
from ml_orchestrator.orchestration import other_releases, worker
from ml_orchestrator.orchestration._dbos import client
from ml_orchestrator.orchestration.leases import Leases
from ml_orchestrator.orchestration.notes import STOP, FileNotes
from ml_orchestrator.orchestration.workers import look_at_workers
from ml_orchestrator.orchestration.workflows import WORKFLOWS, validated

_OF_RELEASE = """
from ml_orchestrator.orchestration import versions
versions.PLAN_VERSION = {version!r}
from ml_orchestrator.cli import main
main(["worker"])
"""


@contextmanager
def worker_of(bench: Bench, *, version: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a worker of a release whose plans have this version, and wait until it is at work."""
    program = _OF_RELEASE.format(version=version)
    environment = child_environment(bench.settings)
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
        try:
            until(lambda: _has_begun(bench), what="it is at work")
            yield process
        finally:
            process.kill()


def _has_begun(bench: Bench) -> bool:
    return [worker.differs is not None for worker in look_at_workers(bench.settings)] == [True]


def start_of(bench: Bench, monkeypatch: pytest.MonkeyPatch, *, version: str, gate: Path) -> str:
    """Queue a run of another release, as its client does."""
    params = validated(WORKFLOWS["tiny"], {"ledger": str(bench.ledger), "gate": str(gate)})
    with monkeypatch.context() as patch:
        patch.setattr(client, "PLAN_VERSION", version)
        return bench.client.start("run-old", WORKFLOWS["tiny"], params, actor="tester").run_id


def test_an_earlier_worker_makes_room_once_a_run_waits_that_it_does_not_take(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    with worker_of(bench, version="0") as old:
        before = start_of(bench, monkeypatch, version="0", gate=gate)
        bench.entry("gate")  # each look also calls for a worker
        assert [worker.is_asked for worker in look_at_workers(bench.settings)] == [False]

        run_id = bench.start("tiny", number=3)
        waiting = bench.client.status(run_id)
        assert [worker.is_asked for worker in look_at_workers(bench.settings)] == [True]
        assert old.poll() is None
        gate.touch()
        assert old.wait(LIMIT_S) == 0
        result = bench.finished(run_id).result

    assert waiting.state == "queued"
    (said,) = waiting.notices
    assert said.startswith(
        f"The run waits for the worker of an earlier release to leave (process {old.pid} on "
    )
    assert said.endswith("once the steps under way there are recorded, a new one starts.")
    assert result == {"doubled": 6, "passed": 7, "answer": 7}
    assert bench.client.status(run_id).notices == ()
    stopped = bench.client.status(before)
    assert (stopped.state, len(bench.entries("gate"))) == ("cancelled", 2)
    assert "planned by another release (plans of version 0)" in str(stopped.error)


def test_a_newer_worker_is_not_asked_and_the_run_says_what_it_waits_for(bench: Bench) -> None:
    with worker_of(bench, version="2"):
        waiting = bench.client.status(bench.start("tiny"))
        bench.client.wake()
        assert [worker.is_asked for worker in look_at_workers(bench.settings)] == [False]

    assert waiting.state == "queued"
    assert "the worker of a newer release" in waiting.notices[0]
    assert "takes plans of version 2, not 1." in waiting.notices[0]
    assert bench.finished(waiting.run_id).state == "succeeded"


class _TakenError(Exception):
    """A lease was about to be taken."""


class _Watched(Leases):
    """Leases of which none is taken; it is noted whether the worker had a note by then."""

    had_note = False

    def take(self, executor_id: str) -> None:
        self.had_note = executor_id in FileNotes(self._path).all()
        raise _TakenError


def test_a_worker_has_its_note_before_anybody_can_see_its_lease(bench: Bench) -> None:
    leases = _Watched(bench.settings.home / "leases.db", ttl_s=1.0)
    with pytest.raises(_TakenError):
        worker._work(bench.settings, leases)
    assert leases.had_note


def test_a_worker_that_has_noted_nothing_is_not_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_releases, "PLAN_VERSION", "2")
    bench.leases.take("without-note")
    notes = _Asked(bench.settings.home / "leases.db")
    others = other_releases.OtherReleases(bench.leases, notes)
    found = others.in_the_way()
    assert [(each.is_older, each.can_be_asked) for each in found] == [(True, False)]
    others.ask(found)
    assert notes.n_asked == 0


class _Asked(FileNotes):
    """Notes that count who is asked."""

    n_asked = 0

    def ask(self, executor_id: str, why: int = STOP) -> bool:
        self.n_asked += 1
        return super().ask(executor_id, why)
