"""Times that others wrote, as the store writes them."""

import re
from datetime import UTC, datetime

from ml_orchestrator.storage.engine import timestamp

__all__ = ["moment"]

_BOTH = re.compile(r"([+-]\d\d:?\d\d)Z$")  # an offset and a Z, as the origin's files have it


def moment(text: object) -> str | None:
    """Return a time as ISO 8601 UTC, or None if it is none; without a zone it is UTC.

    >>> moment("2025-08-01T12:00:00+00:00Z")
    '2025-08-01T12:00:00.000000+00:00'
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(_BOTH.sub(r"\1", text.strip()))
        return timestamp(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None
