"""Events in a terminal: ``ml-orchestrator events list|tail|dead|replay``."""

import argparse
import json
import time
from collections.abc import Iterable

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.events import kinds  # noqa: F401 so that every name is known
from ml_orchestrator.orchestration.events._dead import DeadLetters
from ml_orchestrator.orchestration.events._log import EventLog, shown
from ml_orchestrator.orchestration.events.definition import EVENTS, Priority, StoredEvent
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.text import clean

__all__ = ["run_events"]

LOOK_S = 0.25
MOST_LISTED = 1_000


def run_events(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one act on the events of a data directory."""
    database = open_database(settings.state_url, settings.home)
    try:
        return _ACTS[arguments.act](database, arguments)
    finally:
        database.close()


def _list(database: Database, given: argparse.Namespace) -> int:
    _check_limit(given.limit)
    log, names = EventLog(database), _names(given)
    if given.after is None:
        found = log.last(limit=given.limit, names=names)
    else:
        found = log.after(given.after, limit=given.limit, names=names)
    _print(found, as_json=given.json)
    if not found and not given.json:
        print("No events.")
    return 0


def _tail(database: Database, given: argparse.Namespace) -> int:
    """Print what comes, until Ctrl-C; with ``--for`` so many seconds."""
    log, names = EventLog(database), _names(given)
    cursor = log.newest() if given.after is None else given.after
    until = None if given.seconds is None else time.monotonic() + given.seconds
    while True:
        found = log.after(cursor, names=names)
        _print(found, as_json=given.json)
        cursor = found[-1].seq if found else cursor
        if until is not None and time.monotonic() >= until:
            return 0
        time.sleep(LOOK_S)


def _dead(database: Database, given: argparse.Namespace) -> int:
    _check_limit(given.limit)
    letters = DeadLetters(database).letters(consumer=given.consumer, limit=given.limit)
    for letter in letters:
        if given.json:
            more = {"consumer": letter.consumer, "attempts": letter.attempts}
            line = {**shown(letter.event), **more, "error": letter.error, "given_up_at": letter.at}
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(f"{letter.consumer}: {_line(letter.event)}")
        print(f"    given up {letter.at} after {letter.attempts}: {clean(letter.error).text}")
    if not letters and not given.json:
        print("No dead letters.")
    return 0


def _replay(database: Database, given: argparse.Namespace) -> int:
    dead = DeadLetters(database)
    if given.after is not None:
        n = dead.rewind(given.consumer, given.after)
        print(f"{given.consumer} is handed what it takes of {n} events again.")
        return 0
    n = dead.replay(given.consumer, given.seqs)
    print(f"{n} dead letters of {given.consumer} are tried again.")
    return 0


_ACTS = {"list": _list, "tail": _tail, "dead": _dead, "replay": _replay}


def _names(given: argparse.Namespace) -> list[str]:
    return [EVENTS[name].event_kind.name for name in given.name]


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_LISTED:
        raise InvalidInputError(f"--limit takes 1 to {MOST_LISTED:,}; found {limit}.")


def _print(found: Iterable[StoredEvent], *, as_json: bool) -> None:
    for event in found:
        print(json.dumps(shown(event), ensure_ascii=False) if as_json else _line(event), flush=True)


def _line(event: StoredEvent) -> str:
    weight = Priority(min(max(event.priority, 0), 3)).name.lower()
    return clean(
        f"{event.seq:>6}  {event.at}  {weight:<6}  {event.name:<20} {event.key}  {event.payload}"
    ).text
