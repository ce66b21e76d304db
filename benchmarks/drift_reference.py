"""Write the drift values of Evidently that tests/health/test_drift_against_evidently.py checks.

    .venv/bin/python benchmarks/drift_reference.py [--output PATH]

Evidently gets a virtual environment of its own under benchmarks/.peers/evidently. It reads the
same data sets that the test makes again from their seeds, so the file holds values and digests
only.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Make = Callable[[np.random.Generator], tuple[NDArray[Any], NDArray[Any]]]

PEER = Path(__file__).parent / ".peers" / "evidently"
REQUIREMENTS = ("evidently==0.7.23", "pandas<3")
OUTPUT = Path(__file__).parents[1] / "tests" / "health" / "evidently_reference.json"

# Our name to Evidently's, and the kinds of column that Evidently's test takes.
NUMERIC_TESTS = {
    "ks": "ks",
    "wasserstein": "wasserstein",
    "psi": "psi",
    "jensen_shannon": "jensenshannon",
    "hellinger": "hellinger",
}
CATEGORICAL_TESTS = {
    "psi": "psi",
    "jensen_shannon": "jensenshannon",
    "hellinger": "hellinger",
    "total_variation": "TVD",
    "chi_square_known_reference": "chisquare",
}
TWO_CATEGORY_TESTS = {**CATEGORICAL_TESTS, "chi_square": "z"}

# Runs in Evidently's environment: reads cases, prints the value of each test and the versions.
_PEER_PROGRAM = """
import importlib.metadata, json, sys
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.calculations.stattests.tvd_stattest import _total_variation_distance
from evidently.legacy.core import ColumnType
values = []
for case in json.load(open(sys.argv[1])):
    kind = ColumnType.Numerical if case["kind"] == "numeric" else ColumnType.Categorical
    ref, cur = pd.Series(case["reference"]), pd.Series(case["current"])
    results = {}
    for name, theirs in case["tests"].items():
        if theirs == "TVD":  # its test gives the p value of a permutation, not the distance
            results[name] = float(_total_variation_distance(ref, cur))
            continue
        test = get_stattest(ref, cur, kind, theirs)
        results[name] = float(test(ref, cur, kind, None).drift_score)
    choice = get_stattest(ref, cur, kind, None).name
    values.append({"values": results, "default": choice})
versions = {n: importlib.metadata.version(n) for n in ("evidently", "numpy", "pandas", "scipy")}
json.dump({"versions": versions, "cases": values}, sys.stdout)
"""


def main() -> None:
    """Make the environment if it is not there, run Evidently, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output = parser.parse_args().output
    cases = list(all_cases())
    found = _run_peer(cases)
    record = {
        "generated_by": "benchmarks/drift_reference.py",
        "versions": {"python": sys.version.split()[0], **found["versions"]},
        "cases": [
            {**{key: case[key] for key in ("name", "seed", "sha256")}, **result}
            for case, result in zip(cases, found["cases"], strict=True)
        ],
    }
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{len(cases)} cases, Evidently {found['versions']['evidently']}: {output}")


def all_cases() -> Iterator[dict[str, Any]]:
    """Yield every data set with the tests to run on it."""
    for seed, (name, make) in enumerate(NUMERIC_CASES.items()):
        reference, current = make(np.random.default_rng(seed))
        yield _case(name, seed, "numeric", reference, current, NUMERIC_TESTS)
    for seed, (name, make) in enumerate(CATEGORICAL_CASES.items(), start=100):
        reference, current = make(np.random.default_rng(seed))
        tests = TWO_CATEGORY_TESTS if name.startswith("two") else CATEGORICAL_TESTS
        yield _case(name, seed, "categorical", reference, current, tests)


def _case(
    name: str,
    seed: int,
    kind: str,
    reference: NDArray[Any],
    current: NDArray[Any],
    tests: dict[str, str],
) -> dict[str, Any]:
    data = {"reference": reference.tolist(), "current": current.tolist()}
    return {
        "name": name,
        "seed": seed,
        "kind": kind,
        **data,
        "tests": tests,
        "sha256": hashlib.sha256(json.dumps(data).encode()).hexdigest(),
    }


def _cities(rng: np.random.Generator, n_known: int, size: int) -> NDArray[Any]:
    return np.array([f"city-{i}" for i in rng.integers(0, n_known, size)], dtype=object)


NUMERIC_CASES: dict[str, Make] = {
    "normal, small": lambda rng: (rng.normal(size=300), rng.normal(0.2, 1, 200)),
    "normal, large": lambda rng: (rng.normal(size=20_000), rng.normal(0.05, 1.1, 15_000)),
    "equal sizes, same distribution": lambda rng: (rng.gamma(2, 1, 1_000), rng.gamma(2, 1, 1_000)),
    "heavy tails": lambda rng: (rng.standard_cauchy(2_000), rng.standard_cauchy(1_500) + 0.3),
    "ties": lambda rng: (rng.normal(size=900).round(1), rng.normal(0.1, 1, 800).round(1)),
    "five integers": lambda rng: (
        rng.integers(0, 5, 700).astype(float),
        rng.binomial(4, 0.5, 600).astype(float),
    ),
    "twenty integers, then more": lambda rng: (
        rng.integers(0, 20, 3_000).astype(float),
        rng.integers(0, 25, 2_500).astype(float),
    ),
    "no overlap": lambda rng: (rng.uniform(0, 1, 400), rng.uniform(5, 6, 500)),
    "constant reference": lambda rng: (np.full(200, 3.0), rng.normal(3, 0.01, 150)),
    "tiny scale": lambda rng: (rng.normal(0, 1e-5, 1_200), rng.normal(0, 2e-5, 1_100)),
}
CATEGORICAL_CASES: dict[str, Make] = {
    "four cities": lambda rng: (_cities(rng, 4, 800), _cities(rng, 4, 500)),
    "cities unseen in the reference": lambda rng: (_cities(rng, 5, 900), _cities(rng, 7, 700)),
    "cities gone": lambda rng: (_cities(rng, 9, 2_000), _cities(rng, 6, 3_000)),
    "rare cities": lambda rng: (
        np.append(_cities(rng, 3, 20_000), "city-rare"),
        _cities(rng, 3, 18_000),
    ),
    "two cities": lambda rng: (_cities(rng, 2, 600), _cities(rng, 2, 350)),
}


def _run_peer(cases: list[dict[str, Any]]) -> dict[str, Any]:
    python = PEER / "bin" / "python"
    if not python.exists():
        venv.create(PEER, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(cases, file)
        file.flush()
        answer = subprocess.run(
            [python, "-W", "ignore", "-c", _PEER_PROGRAM, file.name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # Evidently sums categories in set order
        )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


if __name__ == "__main__":
    main()
