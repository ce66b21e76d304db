"""Logins in addresses do not show, whatever quotes them."""

import logging

import pytest

from ml_orchestrator.logins import without_logins
from ml_orchestrator.logs import log_to_stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://me:pw@h:1/x.", "at http://***@h:1/x."),
        ("at 'db+x://me:p@w@h/ml' now", "at 'db+x://***@h/ml' now"),
        ("db://h/ml?user=me&password=pw&sslmode=no", "db://h/ml?user=me&password=***&sslmode=no"),
        ("db://h/ml?sslpassword=pw", "db://h/ml?sslpassword=***"),
        ("ssh://me@h and a@b:c", "ssh://me@h and a@b:c"),
        ("db://me:it's@h/ml", "db://***@h/ml"),
        ("['db://me:'pw'@h/ml','x@y']", "['db://***@h/ml','x@y']"),
        ("'http://h:1', 'a@b', 'http://h:1'", "'http://h:1', 'a@b', 'http://h:1'"),
        ("http://me:a@h,http://me:b@g", "http://***@h,http://***@g"),
        ("http://h:5000/#/models/churn@champion", "http://h:5000/#/models/churn@champion"),
        ("http://[::1]:5000/models/churn@champion", "http://[::1]:5000/models/churn@champion"),
        ("http://h/a:b@c and http://[::1]/a@b", "http://h/a:b@c and http://[::1]/a@b"),
        ("http://me:se/cret@h and http://me:12@h:80/a", "http://***@h and http://***@h:80/a"),
        ("http://me:/1@h and http://me:1@h/a@b", "http://***@h and http://***@b"),
    ],
)
def test_the_login_of_an_address_is_stars(text: str, shown: str) -> None:
    assert without_logins(text) == shown


@pytest.mark.parametrize(
    "name",
    ["access_token", "api_key", "apikey", "secret", "sig", "signature", "X-Amz-Signature"],
)
def test_a_secret_of_a_query_is_stars(name: str) -> None:
    assert without_logins(f"http://h/x?{name}=a%2F1&b=2") == f"http://h/x?{name}=***&b=2"
    assert without_logins(f"http://h/x?b=2&{name}=a") == f"http://h/x?b=2&{name}=***"


@pytest.mark.parametrize("for_person", [False, True])
def test_a_log_holds_no_login_of_an_address(
    capsys: pytest.CaptureFixture[str], for_person: bool
) -> None:
    log_to_stderr("WARNING", for_person=for_person)
    address = "http://me:secret@host"
    try:
        raise ValueError(address)
    except ValueError:
        logging.getLogger("lib").warning("no answer from %s", address, exc_info=True)

    logged = capsys.readouterr().err
    assert "no answer from http://***@host" in logged
    assert "ValueError: http://***@host" in logged
    assert "secret" not in logged
