"""A step that two workers were at in one moment is told from one whose worker was killed."""

import runpy
from pathlib import Path

import pytest

LEDGER = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "_ledger.py"))


@pytest.mark.parametrize(
    ("killed", "deeds", "found"),
    [
        ({7: 15}, [("begin", 10, 7), ("end", 14, 7), ("begin", 20, 8), ("end", 24, 8)], False),
        ({7: 15}, [("begin", 10, 7), ("begin", 20, 8), ("end", 24, 8)], False),
        ({}, [("begin", 10, 7), ("begin", 12, 8), ("end", 14, 7), ("end", 16, 8)], True),
        ({7: 15}, [("begin", 10, 7), ("begin", 12, 8), ("end", 14, 7), ("end", 16, 8)], True),
        ({7: 15}, [("begin", 10, 7), ("begin", 20, 8), ("begin", 22, 9), ("end", 24, 9)], True),
        ({}, [("begin", 10, 7), ("end", 12, 7)], False),
    ],
)
def test_only_who_was_killed_first_lets_a_step_begin_again(
    killed: dict[int, int], deeds: list[tuple[str, int, int]], found: bool
) -> None:
    ledger = [LEDGER["Entry"]("run-1", "step", what, at, pid) for what, at, pid in deeds]

    assert LEDGER["at_once"](ledger, killed) == ({("run-1", "step")} if found else set())
