"""Texts without the logins of the addresses in them."""

import re

__all__ = ["STARS", "without_logins"]

STARS = "***"
# An address may be long, and is read again from each :// on: without a limit that takes long.
_BEFORE_HOST = re.compile(r"""://([^\s"'<>]{0,2000})@""")
_IN_QUERY = re.compile(r"""(?i)([?&;](?:ssl)?(?:password|passwd|pwd|token)=)[^\s"'<>&;]+""")


def without_logins(text: str) -> str:
    """Return a text with stars in place of name and password in the addresses that it holds.

    A name alone stays. Cut a text only afterwards: an address that ends before its host is not
    known as one.

    Example:
        >>> without_logins("GET http://me:pw@host/x and db://host/ml?password=pw&a=1")
        'GET http://***@host/x and db://host/ml?password=***&a=1'
    """
    if "@" in text:
        text = _BEFORE_HOST.sub(_unnamed, text)
    return _IN_QUERY.sub(rf"\1{STARS}", text)


def _unnamed(before_host: re.Match[str]) -> str:
    return f"://{STARS}@" if ":" in before_host[1] else before_host[0]
