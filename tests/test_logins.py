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
    ],
)
def test_the_login_of_an_address_is_stars(text: str, shown: str) -> None:
    assert without_logins(text) == shown


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
