"""The examples in the docstrings of the analysis hold."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "ml_orchestrator.analysis.analyse",
        "ml_orchestrator.analysis.domain",
        "ml_orchestrator.text.languages",
        "ml_orchestrator.text.phrases",
    ],
)
def test_the_examples_of_a_module_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
