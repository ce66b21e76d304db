"""Data many times larger than the memory left to the process are compared, and the shift is found.

Run as ``python -m tests.health.soak_large_data [--gigabytes 10] [--format parquet|csv]
[--limit-mb 800]``: two files of half that size are written piece by piece, with one column that
moves in the second; then the process denies itself more than so much data beyond what it has after
its imports and a small check (RLIMIT_DATA, which counts what is allocated, touched or not), and
compares them through the door of ``drift_check``. Prints one line of JSON; exits with 1 if the
shift was not found, or another was.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.settings import Settings

ROWS = 100_000  # of a piece
N_NUMBERS = 8
KEPT_BYTES = 8_000_000  # of a file: ML_ORCHESTRATOR_MAX_DATA_BYTES
MOVED = "x3"


def piece(rng: np.random.Generator, n: int, *, moved: bool) -> pl.DataFrame:
    """Return rows of numbers that do not compress, and a category."""
    numbers = {f"x{i}": rng.random(n) for i in range(N_NUMBERS)}
    if moved:
        numbers[MOVED] = numbers[MOVED] + 0.15
    kinds = rng.choice(np.array(["a", "b", "c"]), n)
    return pl.DataFrame({**numbers, "kind": kinds})


def write(path: Path, size_bytes: int, *, moved: bool, seed: int) -> int:
    """Write pieces until the file is so large; return its rows."""
    rng = np.random.default_rng(seed)
    n_rows = 0
    if path.suffix == ".csv":
        with path.open("wb") as file:
            while file.tell() < size_bytes:
                piece(rng, ROWS, moved=moved).write_csv(file, include_header=n_rows == 0)
                n_rows += ROWS
        return n_rows
    import pyarrow.parquet as pq

    first = piece(rng, ROWS, moved=moved).to_arrow()
    with pq.ParquetWriter(path, first.schema, compression="none") as writer:
        writer.write_table(first)
        n_rows = ROWS
        while path.stat().st_size < size_bytes:
            writer.write_table(piece(rng, ROWS, moved=moved).to_arrow())
            n_rows += ROWS
    return n_rows


def data_bytes() -> int:
    """Return what RLIMIT_DATA counts of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024


def is_refused(n_bytes: int) -> bool:
    """Return whether the process cannot have so much more memory."""
    try:
        bytearray(n_bytes)
    except MemoryError:
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--limit-mb", type=int, default=800)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        settings = Settings.read({}, project_dir=home)
        settings = settings.model_copy(update={"max_data_bytes": KEPT_BYTES})
        checker, options = DriftChecker(settings), DriftOptions(test="auto")
        small = f"small.{asked.format}"
        tiny = piece(np.random.default_rng(0), 1_000, moved=False)
        tiny.write_csv(home / small) if asked.format == "csv" else tiny.write_parquet(home / small)
        checker.check(small, small, options)  # what is imported on first use
        files = [f"then.{asked.format}", f"now.{asked.format}"]
        n_rows = [
            write(home / file, int(asked.gigabytes * 1e9 / 2), moved=i == 1, seed=i + 1)
            for i, file in enumerate(files)
        ]
        sizes = [(home / file).stat().st_size for file in files]
        limit = asked.limit_mb * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + limit,) * 2)
        before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        began_at = time.monotonic()
        report, _ = checker.check(files[0], files[1], options)
        found = {
            "drifted": list(report.drifted_columns),
            "rows": n_rows,
            "bytes": sizes,
            "limit_bytes": limit,
            "limit_holds": is_refused(2 * limit),
            "compared": [report.columns[0].n_reference, report.columns[0].n_current],
            "grew_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before_mb),
            "seconds": round(time.monotonic() - began_at, 1),
            "notices": list(report.notices),
        }
        print(json.dumps(found))
        sys.exit(report.drifted_columns != (MOVED,))


if __name__ == "__main__":
    main()
