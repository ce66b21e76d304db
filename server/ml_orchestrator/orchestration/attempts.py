"""Attempts of a run: a failed one is followed by a next one that goes on where it failed."""

import re

__all__ = ["attempt_of", "before_of", "first_of", "next_of"]

_ATTEMPT = re.compile(r"\.(\d+)$")


def first_of(run_id: str) -> str:
    """Return the id under which a run keeps its files, whichever attempt of it ``run_id`` is.

    >>> first_of("run-1"), first_of("run-1.2")
    ('run-1', 'run-1')
    """
    return _ATTEMPT.sub("", run_id)


def next_of(run_id: str) -> str:
    """Return the id of the attempt after this one.

    >>> next_of("run-1"), next_of("run-1.2")
    ('run-1.2', 'run-1.3')
    """
    return f"{first_of(run_id)}.{attempt_of(run_id) + 1}"


def before_of(run_id: str) -> str | None:
    """Return the id of the attempt before this one; None for the first.

    >>> before_of("run-1"), before_of("run-1.2"), before_of("run-1.3")
    (None, 'run-1', 'run-1.2')
    """
    number = attempt_of(run_id)
    return {1: None, 2: first_of(run_id)}.get(number, f"{first_of(run_id)}.{number - 1}")


def attempt_of(run_id: str) -> int:
    """Return which attempt of a run an id names, from 1.

    >>> attempt_of("run-1"), attempt_of("run-1.2")
    (1, 2)
    """
    found = _ATTEMPT.search(run_id)
    return int(found[1]) if found else 1
