"""Drift of data many times larger than the memory that the check is allowed.

Two files of half the size each are written piece by piece. Of the second, three columns changed:
one moved, one moved in the last quarter of the rows alone, so that whoever reads the beginning only
misses it, and one of categories has another mix. How far is known in closed form. A process of its
own then denies itself more than so much memory beyond what it has after its imports (RLIMIT_DATA,
which counts what is allocated, touched or not) and compares the files through the door of
``drift_check``. Printed are wall time, peak memory, and found distances beside the true ones.

    .venv/bin/python benchmarks/large_drift.py [--gb 10] [--format parquet|csv] [--limit-mb 800]
        [--folder FOLDER] [--quick] [--json]

Exit code 1 if a column was found that did not change, or one that did was not, or a distance is
further from the truth than the sample explains (five standard errors), or the limit did not hold.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from _figures import machine

from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.settings import Settings

ROWS = 100_000  # of a piece
N_NUMBERS = 8
KEPT_BYTES = 8_000_000  # of a file: ML_ORCHESTRATOR_MAX_DATA_BYTES
STEP, LATE_STEP, LATE = 0.15, 0.6, 0.75  # how far, and from which share of the rows
KINDS = np.array(["a", "b", "c"])
BEFORE, AFTER = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
SPREAD = 1.7  # standard error of a distance times the root of the rows, at most
QUICK_GB = 1.6


def truth() -> dict[str, float]:
    """Return the distances of the columns that changed.

    Wasserstein distances in standard deviations of the reference, which is uniform on 0 to 1; a
    distribution that only moves up is as far as its mean moves. The Jensen-Shannon distance is
    that of the two mixes, with natural logarithms.
    """
    deviation = math.sqrt(1 / 12)
    middle = (BEFORE + AFTER) / 2
    divergence = sum(float((mix * np.log(mix / middle)).sum()) for mix in (BEFORE, AFTER)) / 2
    return {
        "x3": STEP / deviation,
        "x5": (1 - LATE) * LATE_STEP / deviation,
        "mix": math.sqrt(divergence),
    }


def piece(rng: np.random.Generator, *, is_changed: bool, share: float) -> pl.DataFrame:
    """Return rows from ``share`` (0 to 1) of the way through a file."""
    numbers = {f"x{i}": rng.random(ROWS) for i in range(N_NUMBERS)}
    if is_changed:
        numbers["x3"] += STEP
        numbers["x5"] += LATE_STEP * (share >= LATE)
    mix = rng.choice(KINDS, ROWS, p=AFTER if is_changed else BEFORE)
    return pl.DataFrame({**numbers, "kind": rng.choice(KINDS, ROWS), "mix": mix})


def write(path: Path, size_bytes: float, *, is_changed: bool, seed: int) -> int:
    """Write a file of about this size, piece by piece; return its rows.

    Its pieces are a multiple of four, so that the last quarter is one.
    """
    rng = np.random.default_rng(seed)
    probe = piece(rng, is_changed=False, share=0.0)
    n_pieces = 4 * max(1, round(size_bytes / _size_bytes(probe, path.suffix) / 4))
    shares = [number / n_pieces for number in range(n_pieces)]
    if path.suffix == ".csv":
        with path.open("wb") as file:
            for share in shares:
                part = piece(rng, is_changed=is_changed, share=share)
                part.write_csv(file, include_header=share == 0)
    else:
        with pq.ParquetWriter(path, probe.to_arrow().schema, compression="none") as writer:
            for share in shares:
                writer.write_table(piece(rng, is_changed=is_changed, share=share).to_arrow())
    return n_pieces * ROWS


def _size_bytes(frame: pl.DataFrame, suffix: str) -> int:
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        path = Path(file.name)
        if suffix == ".csv":
            frame.write_csv(path)
        else:
            pq.write_table(frame.to_arrow(), path, compression="none")
        return path.stat().st_size


def check(folder: Path, suffix: str, limit_mb: int) -> dict[str, Any]:
    """Compare the two files of a folder in this process, under the limit."""
    settings = Settings.read({}, home=folder / "home", project_dir=folder)
    checker = DriftChecker(settings.model_copy(update={"max_data_bytes": KEPT_BYTES}))
    small = f"small{suffix}"
    tiny = piece(np.random.default_rng(0), is_changed=False, share=0.0).head(1_000)
    (tiny.write_csv if suffix == ".csv" else tiny.write_parquet)(folder / small)
    checker.check(small, small, DriftOptions())  # what is imported on first use
    limit = limit_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + limit,) * 2)
    start_mb, began_at = _peak_mb(), time.monotonic()
    report, _ = checker.check(f"then{suffix}", f"now{suffix}", DriftOptions())
    return {
        "seconds": round(time.monotonic() - began_at, 1),
        "start_mb": start_mb,
        "peak_mb": _peak_mb(),
        "limit_mb": limit_mb,
        "limit_holds": is_refused(2 * limit),
        "drifted": sorted(report.drifted_columns),
        "distances": {column.column: column.statistic for column in report.columns},
        "n_compared": [report.columns[0].n_reference, report.columns[0].n_current],
        "notices": list(report.notices),
    }


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


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)


def faults_of(found: dict[str, Any]) -> list[str]:
    """Return what is not as it must be."""
    expected, n_rows = truth(), min(found["n_compared"])
    error = 5 * SPREAD / math.sqrt(n_rows)
    faults = [] if found["drifted"] == sorted(expected) else ["the drifted columns"]
    faults += [] if found["limit_holds"] else ["the limit"]
    for name, distance in expected.items():
        if abs(found["distances"][name] - distance) > error:
            faults.append(f"the distance of {name}")
    return faults


def main() -> None:
    """Write, compare in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=10.0, help="of both files together")
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--limit-mb", type=int, default=800)
    parser.add_argument("--folder", type=Path, help="where the files are written; else /tmp")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_GB} GB")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--compare", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    suffix = f".{asked.format}"
    if asked.compare is not None:
        print(json.dumps(check(asked.compare, suffix, asked.limit_mb)))
        return
    size_gb = QUICK_GB if asked.quick else asked.gb
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder, began_at = Path(name), time.monotonic()
        n_rows = [
            write(folder / f"{file}{suffix}", size_gb * 5e8, is_changed=file == "now", seed=seed)
            for seed, file in enumerate(("then", "now"))
        ]
        written_s = round(time.monotonic() - began_at, 1)
        n_bytes = sum((folder / f"{file}{suffix}").stat().st_size for file in ("then", "now"))
        command = [sys.executable, __file__, "--compare", str(folder), "--format", asked.format]
        command += ["--limit-mb", str(asked.limit_mb)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"The comparison ended with {done.returncode} under {asked.limit_mb} MB.")
    found = json.loads(done.stdout.splitlines()[-1])
    found |= {"bytes": n_bytes, "rows": n_rows, "written_s": written_s}
    faults = faults_of(found)
    _show({**found, "truth": truth(), "faults": faults}, as_json=asked.json)
    sys.exit(bool(faults))


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**found, "machine": machine()}))
        return
    n_compared, n_rows = sum(found["n_compared"]), sum(found["rows"])
    print(
        f"{found['bytes'] / 1e9:.2f} GB, {n_rows:,} rows, written in {found['written_s']} s\n"
        f"compared in {found['seconds']} s by {n_compared:,} rows drawn of both files\n"
        f"peak memory {found['peak_mb']} MB, {found['start_mb']} MB of it before; "
        f"{found['limit_mb']} MB more were allowed"
    )
    for name, distance in found["truth"].items():
        print(f"  {name:<4} distance {found['distances'][name]:.4f}, truly {distance:.4f}")
    others = max(d for name, d in found["distances"].items() if name not in found["truth"])
    print(f"  of columns that did not change at most {others:.4f}")
    print("as it must be" if not found["faults"] else f"not so: {'; '.join(found['faults'])}")
    print(machine())


if __name__ == "__main__":
    main()
