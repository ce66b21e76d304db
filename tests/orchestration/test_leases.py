"""Leases, by a clock of the test's own."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ml_orchestrator.orchestration.leases import Leases, is_running, kill, since_boot


class Clock:
    now = time.time() + 3_600  # whatever is set back is after the start of the machine

    def __call__(self) -> float:
        return self.now


def _leases(path: Path) -> tuple[Leases, Clock]:
    clock = Clock()
    return Leases(path / "leases.db", ttl_s=5.0, clock=clock), clock


def test_a_renewed_lease_counts_and_a_silent_one_does_not(tmp_path: Path) -> None:
    leases, clock = _leases(tmp_path)
    assert not leases.has_worker()
    leases.take("a")
    clock.now += 4
    assert leases.renew("a")
    clock.now += 4
    assert leases.has_worker()
    clock.now += 2
    assert not leases.has_worker()


def test_only_one_caller_revokes_a_silent_lease_and_its_holder_learns_of_it(
    tmp_path: Path,
) -> None:
    leases, _ = _leases(tmp_path)
    leases.take("a")
    (seen,) = leases.all()

    assert [leases.revoke(seen), leases.revoke(seen)] == [True, False]
    assert not leases.renew("a")
    assert not leases.has_worker()


def test_a_lease_renewed_since_it_was_seen_is_not_revoked(tmp_path: Path) -> None:
    leases, clock = _leases(tmp_path)
    leases.take("a")
    (seen,) = leases.all()
    clock.now += 1
    leases.renew("a")

    assert not leases.revoke(seen)
    assert leases.renew("a")


def test_a_resigned_lease_stays_on_record_until_its_runs_are_taken_over(tmp_path: Path) -> None:
    leases, _ = _leases(tmp_path)
    leases.take("a")
    leases.forget("a")
    assert [lease.executor_id for lease in leases.all()] == ["a"]
    leases.resign("a")
    assert [lease.is_live for lease in leases.all()] == [0]
    leases.take("a")
    assert leases.has_worker()
    leases.resign("a")
    leases.forget("a")
    assert leases.all() == []


def test_a_process_that_reuses_the_number_of_a_dead_worker_is_not_that_worker(
    tmp_path: Path,
) -> None:
    leases, _ = _leases(tmp_path)
    leases.take("a")
    (own,) = leases.all()
    earlier = type(own)("b", own.host, own.pid, own.process_started_at - 60, own.renewed_at, 1)

    assert is_running(own)
    assert not is_running(earlier)


def test_a_lease_from_before_the_clock_was_set_back_is_silent_until_it_is_renewed(
    tmp_path: Path,
) -> None:
    leases, clock = _leases(tmp_path)
    leases.take("a")
    (before,) = leases.all()
    clock.now -= 600
    assert leases.is_silent(before)
    assert not leases.has_worker()

    assert leases.renew("a")
    assert leases.has_worker()
    assert not leases.revoke(before)  # who saw it as silent comes too late


def test_a_worker_is_known_again_after_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, _ = _leases(tmp_path)
    leases.take("a")
    (own,) = leases.all()
    boot, create = psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() - 3_600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create(process) - 3_600)

    assert is_running(own)


def test_after_the_machine_was_restarted_nobody_is_the_worker_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(tmp_path / "leases.db", ttl_s=5.0)
    with subprocess.Popen(["sleep", "60"]) as other:
        leases.take("a")
        (own,) = leases.all()
        process = psutil.Process(other.pid)
        namesake = replace(own, pid=other.pid, process_started_at=since_boot(process))
        assert is_running(namesake)
        boot, create = psutil.boot_time, psutil.Process.create_time
        later_s = own.renewed_at - boot() + 60
        monkeypatch.setattr(psutil, "boot_time", lambda: boot() + later_s)
        monkeypatch.setattr(psutil.Process, "create_time", lambda each: create(each) + later_s)

        assert since_boot(process) == pytest.approx(namesake.process_started_at, abs=1.5)
        assert not is_running(namesake)
        kill(namesake)
        assert other.poll() is None
        other.kill()


def test_a_lease_written_by_an_earlier_release_still_names_its_process(tmp_path: Path) -> None:
    leases, _ = _leases(tmp_path)
    leases.take("a")
    (own,) = leases.all()
    started = psutil.Process().create_time()
    written = type(own)("b", own.host, own.pid, started, own.renewed_at, 1)
    other = type(own)("c", own.host, own.pid, started - 60, own.renewed_at, 1)

    assert is_running(written)
    assert not is_running(other)
