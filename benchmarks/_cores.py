"""A process that uses one core, with all of its threads (Linux)."""

import os
import sys

__all__ = ["bind_to_core"]


def bind_to_core(core: int | None = None) -> None:
    """Bind this program to a core, the first it may use if none is named.

    Libraries count the cores when they are imported: bound afterwards, their threads would wait
    for one another on the one core. So a program that is not bound yet starts anew.
    Processes started later inherit it.
    """
    chosen = min(os.sched_getaffinity(0)) if core is None else core
    if os.sched_getaffinity(0) != {chosen}:
        os.sched_setaffinity(0, {chosen})
        os.execv(sys.executable, sys.orig_argv)
