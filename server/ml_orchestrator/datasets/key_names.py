"""Names that columns of keys have."""

import re

__all__ = ["is_named_like_key"]

_OF_KEYS = re.compile(
    r"(^|[_\s-])(id|key|user|customer|client|patient|subject|person|account|household|session"
    r"|machine)$"
)


def is_named_like_key(name: str) -> bool:
    """Whether a column is named like what it groups rows by: ``patient_id``, ``customerId``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return _OF_KEYS.search(words) is not None
