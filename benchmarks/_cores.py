"""A process that uses one core, with all of its threads (Linux)."""

import os
from pathlib import Path

__all__ = ["bind_to_core"]


def bind_to_core(core: int | None = None) -> None:
    """Bind this process to a core, the first it may use if none is named.

    Libraries start threads of their own when they are imported; ``os.sched_setaffinity`` binds
    one thread and those it starts later, so each is bound. Processes started later inherit it.
    """
    chosen = min(os.sched_getaffinity(0)) if core is None else core
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {chosen})
