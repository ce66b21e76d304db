"""What kinds of things a monitor can watch, told apart by how they are named."""

from ml_orchestrator.datasets.source_names import BUILTIN_PREFIX

__all__ = ["SERVING_PREFIX", "WILD", "is_log", "is_one_table", "is_pattern"]

SERVING_PREFIX = "serving:"
WILD = frozenset("*?[")  # that make a path a pattern


def is_log(watch: str) -> bool:
    """Whether a serving log is watched."""
    return watch.startswith(SERVING_PREFIX)


def is_pattern(watch: str) -> bool:
    """Whether a source names files by a pattern."""
    return not watch.startswith((BUILTIN_PREFIX, SERVING_PREFIX)) and not WILD.isdisjoint(watch)


def is_one_table(watch: str) -> bool:
    """Whether each look takes the same table whole: a file, or a built-in data set.

    >>> is_one_table("data/now.csv"), is_one_table("data/day-*.csv"), is_one_table("serving:shop")
    (True, False, False)
    """
    return not is_log(watch) and not is_pattern(watch)
