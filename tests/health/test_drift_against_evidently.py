"""Our drift values equal those of Evidently 0.7.23 on the same data.

benchmarks/drift_reference.py wrote the values; the data are made again here from their seeds.
"""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_orchestrator.health.drift import DRIFT_TESTS
from ml_orchestrator.health.drift.choice import Pair, choose_test

ROOT = Path(__file__).parents[2]
RECORD = json.loads((Path(__file__).parent / "evidently_reference.json").read_text())
CASES = list(runpy.run_path(str(ROOT / "benchmarks" / "drift_reference.py"))["all_cases"]())
EXPECTED = {case["name"]: case for case in RECORD["cases"]}
EVERY_VALUE = [(case, name) for case in CASES for name in case["tests"]]

# Evidently's names of what it chooses by itself, in ours. Its chi-square takes the reference's
# shares as known; ours by default does not, so that false alarms keep to their rate.
DEFAULTS = {
    "ks": "ks",
    "wasserstein": "wasserstein",
    "chisquare": "chi_square",
    "z": "chi_square",
    "jensenshannon": "jensen_shannon",
}


def _pair(case: dict[str, Any]) -> Pair:
    dtype = np.float64 if case["kind"] == "numeric" else object
    tables = [{"column": np.array(case[side], dtype=dtype)} for side in ("reference", "current")]
    return Pair.read("column", *tables)


def test_the_record_covers_the_cases_and_names_its_versions() -> None:
    assert [case["name"] for case in CASES] == list(EXPECTED)
    assert RECORD["versions"]["evidently"] == "0.7.23"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_data_are_those_that_evidently_saw(case: dict[str, Any]) -> None:
    assert case["sha256"] == EXPECTED[case["name"]]["sha256"], "numpy draws other numbers now"


@pytest.mark.parametrize(
    ("case", "name"), EVERY_VALUE, ids=[f"{case['name']}-{name}" for case, name in EVERY_VALUE]
)
def test_a_value_equals_evidentlys(case: dict[str, Any], name: str) -> None:
    pair, test = _pair(case), DRIFT_TESTS[name]
    found = test.compare(pair.reference, pair.current)
    value = found.statistic if test.measure == "distance" else found.p_value
    # 1e-12 absolute; relative for the values above 1 that a tiny standard deviation makes.
    assert value == pytest.approx(EXPECTED[case["name"]]["values"][name], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_test_chosen_by_itself_is_evidentlys(case: dict[str, Any]) -> None:
    assert choose_test(_pair(case)) == DEFAULTS[EXPECTED[case["name"]]["default"]]
