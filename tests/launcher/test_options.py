"""Options of the plug-in become settings of the server."""

import pytest

from ml_orchestrator.launcher.main import adopt_options
from ml_orchestrator.settings import Settings

OPTION = "ML_ORCHESTRATOR_OPTION_"


def test_an_option_becomes_the_setting_and_is_not_handed_on_under_its_own_name() -> None:
    secret = "postgresql+psycopg://ml:secret@db/ml"
    environ = {OPTION + "DATABASE_URL": secret, OPTION + "MODE": "read-only", "PATH": "/bin"}
    adopt_options(environ)
    assert environ == {
        "ML_ORCHESTRATOR_DATABASE_URL": secret,
        "ML_ORCHESTRATOR_MODE": "read-only",
        "PATH": "/bin",
    }
    settings = Settings.read(environ)
    assert settings.mode == "read-only"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("value", ["", "${user_config.mode}"])
def test_an_option_without_a_value_leaves_the_default(value: str) -> None:
    environ = {OPTION + "MODE": value}
    adopt_options(environ)
    assert environ == {}


def test_the_environment_goes_before_the_option() -> None:
    environ = {
        OPTION + "HOME": "/option",
        "ML_ORCHESTRATOR_HOME": "/own",
        OPTION + "TRACKING_URI": "http://option",
        "MLFLOW_TRACKING_URI": "http://own",
    }
    adopt_options(environ)
    assert environ == {"ML_ORCHESTRATOR_HOME": "/own", "MLFLOW_TRACKING_URI": "http://own"}
