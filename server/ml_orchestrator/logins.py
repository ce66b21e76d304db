"""Texts without the logins of the addresses in them."""

import re

__all__ = ["STARS", "without_logins"]

STARS = "***"
# An address ends where the next begins: otherwise many of them are read again from each :// on.
_BEFORE_HOST = re.compile(
    r"""://((?:[^\s"'<>:]|:(?!//)|'(?![\s,;:)\]}]|$)){0,2000})@"""  # ' is a sign, or ends a word
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^:]*)(:[0-9]{1,5})?")
_IN_QUERY = re.compile(
    r"(?i)([?&;#](?:(?:ssl)?(?:password|passwd|pwd)|(?:access_)?token|api_?key|secret"
    r"""|(?:x-amz-)?sig(?:nature)?)=)[^\s"'<>&;]+"""
)


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
    """Return stars, but for a name alone and for a host, perhaps a port, and a path with an @."""
    login, slash, _ = before_host[1].partition("/")
    is_path = slash and _HOST.fullmatch(login)
    return before_host[0] if is_path or ":" not in login else f"://{STARS}@"
