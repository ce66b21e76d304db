"""The audit log in a terminal: ``ml-orchestrator audit list|verify``."""

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from functools import partial

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.audit import FIRST, AuditEntry, audit_entries, verify_audit
from ml_orchestrator.storage.engine import open_database
from ml_orchestrator.text import clean

__all__ = ["run_audit"]

MOST_LISTED = 100_000
_DIGEST = frozenset("0123456789abcdef")


def run_audit(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the audit log of a data directory, or prove that it is whole."""
    return (_list if arguments.act == "list" else _verify)(arguments, settings)


def _list(given: argparse.Namespace, settings: Settings) -> int:
    if not 1 <= given.limit <= MOST_LISTED:
        raise InvalidInputError(f"--limit takes 1 to {MOST_LISTED:,}; found {given.limit}.")
    look = partial(audit_entries, limit=given.limit, subject=given.subject, actor=given.actor)
    with closing(open_database(settings.state_url, settings.home)) as database:
        found = database.read(look)
    for entry in found:
        print(json.dumps(asdict(entry), ensure_ascii=False) if given.json else _line(entry))
    if not found and not given.json:
        print("No entries.")
    return 0


def _line(entry: AuditEntry) -> str:
    details = ", ".join(f"{name} {_said(value)}" for name, value in entry.details.items())
    line = (
        f"{entry.seq:>6}  {entry.at[:19]}Z  {entry.actor}  {entry.act}  {entry.subject}  {details}"
    )
    return clean(line).text.rstrip()


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _verify(given: argparse.Namespace, settings: Settings) -> int:
    noted = given.noted
    if noted is not None and (len(noted) != len(FIRST) or not _DIGEST.issuperset(noted.lower())):
        raise InvalidInputError(
            f"--noted takes a whole head as an earlier `audit verify` printed it, {len(FIRST)} "
            f"hexadecimal digits; found {noted[:80]!r}."
        )
    with closing(open_database(settings.state_url, settings.home)) as database:
        found = database.read(partial(verify_audit, noted=noted))
    if given.json:
        print(json.dumps(asdict(found)))
    elif found.fault is not None:
        print(f"The audit log is not whole. {found.fault}")
    else:
        print(
            f"The audit log is whole: {found.n_entries:,} entries, each follows the one before it."
        )
        if noted is not None:
            print(
                f"What was noted is entry {found.noted_at:,}; nothing up to it has changed since."
            )
        print(f"Its head: {found.head}\nNote it elsewhere, for `audit verify --noted` later.")
    return 0 if found.fault is None else 1
