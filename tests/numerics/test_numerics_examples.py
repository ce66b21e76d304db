"""The examples in the docstrings of numerics hold."""

import doctest
import importlib
import pkgutil

import pytest

from ml_orchestrator import numerics

MODULES = [
    module.name
    for module in pkgutil.walk_packages(numerics.__path__, f"{numerics.__name__}.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
