"""The bell: listened to often after a ring, and seldom where nobody rings."""

import itertools
import threading
from pathlib import Path

import pytest

from ml_orchestrator.orchestration.bell import FILE, IDLE_LISTEN_S, LISTEN_S, answer


class Waits(threading.Event):
    """Ends after some waits, which take no time; somebody rings before one of them."""

    def __init__(self, home: Path, *, n: int, rings_before: int) -> None:
        super().__init__()
        self._home, self._n, self._rings_before = home, n, rings_before
        self.seen: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        if len(self.seen) == self._rings_before:
            (self._home / FILE).touch()
        self.seen.append(timeout)
        return len(self.seen) > self._n


def test_who_hears_nothing_listens_less_often_until_somebody_rings(tmp_path: Path) -> None:
    looks: list[int] = []
    waits = Waits(tmp_path, n=700, rings_before=400)
    answer(tmp_path, lambda: looks.append(len(waits.seen)), waits)
    before, after = waits.seen[:401], waits.seen[401:]

    assert looks == [401]
    assert before[0] == after[0] == LISTEN_S
    assert all(a <= b for a, b in itertools.pairwise(before))
    assert before[-1] == after[-1] == IDLE_LISTEN_S
    assert sum(waits.seen[:250]) == pytest.approx(20, abs=5)
