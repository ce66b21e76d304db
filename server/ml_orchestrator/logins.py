"""Logins in addresses: kept out of texts, and refused where they would be shown."""

import re

__all__ = ["STARS", "check_login", "without_logins"]

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
# Before the ? of an address without a login: host, port and database.
_NO_LOGIN = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^:/@#]*)((:[0-9]+)?/[^:@#]*)?")


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


def check_login(url: str) -> None:
    """Refuse a database's address whose login ends too early, so that its rest is shown as host.

    Raises:
        ValueError: it has a sign that must be written otherwise; the address is not quoted.
    """
    before, _, options = url.partition("://")[2].partition("?")
    login, at, _ = before.rpartition("@")
    has_options = re.match(r"\w+=", options) and (at or _NO_LOGIN.fullmatch(before))
    if re.search(r"[/@#\s]", login) or ("@" in options and not has_options):
        raise ValueError(
            "a login must be written with @ as %40, / as %2F, ? as %3F, # as %23 and spaces as %20"
        )
