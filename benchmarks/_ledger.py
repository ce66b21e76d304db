"""What the steps of `_workflow_steps.py` note, and whether two workers were at one at once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

__all__ = ["Entry", "at_once", "read_ledger"]


class Entry(NamedTuple):
    """One moment: ``what`` is ``begin`` or ``end``, ``at`` in ns since the epoch."""

    run_id: str
    step: str
    what: str
    at: int
    pid: int


def read_ledger(home: Path) -> list[Entry]:
    """Return what was noted so far, in the order in which it was written."""
    path = home / "ledger"
    lines = path.read_text().splitlines() if path.exists() else []
    return [Entry(*json.loads(line)) for line in lines]


def at_once(ledger: Iterable[Entry], killed: Mapping[int, int]) -> set[tuple[str, str]]:
    """Return the steps (run, step) that began although nobody had killed who was at them.

    A step may begin again only after the process of its last beginning was killed.

    Args:
        ledger: in the order in which it was written.
        killed: when each process was killed, by its id, ns since the epoch, noted right before.
    """
    begun: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in ledger:
        if entry.what == "begin":
            begun[entry.run_id, entry.step].append(entry)
    return {
        deed
        for deed, entries in begun.items()
        if any(
            last.pid not in killed or killed[last.pid] > after.at
            for last, after in pairwise(entries)
        )
    }
