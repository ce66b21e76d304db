"""Whether a compiled merge of sorted samples would be faster than counting in cells (decision 49).

The largest gap of two distribution functions, as Kolmogorov-Smirnov needs it, of samples as they
come: ours, in cells; beside it both samples sorted by numpy and one pass over them in C, compiled
here by the C compiler of this machine (without one it is absent). Processor time of one thread,
in turns. The gaps are compared.

    .venv/bin/python benchmarks/compiled_merge.py [--quick] [--json]
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from _figures import Figure, arguments, in_turns, percentile, show
from numpy.typing import NDArray

from ml_orchestrator.numerics.kolmogorov_smirnov import kolmogorov_smirnov

SIZES = (100_000, 1_000_000)
SHIFTS = (0.0, 0.1)
PASS = """
#include <stdint.h>
int64_t gap(const double *x, const double *y, int64_t n) {
  int64_t i = 0, j = 0, most = 0, least = 0;
  while (i < n && j < n) {
    double a = x[i], b = y[j], value = a < b ? a : b;
    i += a <= b;
    j += b <= a;
    int is_last = (i == n || x[i] != value) & (j == n || y[j] != value);
    int64_t found = is_last ? i - j : 0;
    most = found > most ? found : most;
    least = found < least ? found : least;
  }
  return most > -least ? most : -least;
}
"""
Sample = NDArray[np.float64]
Gap = Callable[[Sample, Sample], float]


def compiled(folder: Path) -> Gap | None:
    """Return what sorts and merges; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "merge.c", folder / "merge.so"
    source.write_text(PASS, encoding="ascii")
    options = ["-O3", "-march=native", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, str(source), "-o", str(library)], check=True)
    gap = ctypes.CDLL(str(library)).gap
    gap.restype = ctypes.c_int64
    gap.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]

    def sorted_and_merged(x: Sample, y: Sample) -> float:
        first, second = np.sort(x), np.sort(y)
        return float(gap(first.ctypes.data, second.ctypes.data, first.size)) / first.size

    return sorted_and_merged


def ours(x: Sample, y: Sample) -> float:
    """Return the statistic, p value and checks included."""
    return kolmogorov_smirnov(x, y).statistic


def taken_ms(act: Gap, x: Sample, y: Sample) -> float:
    """Return the processor time of one act in this thread, in ms."""
    began_at = time.thread_time()
    act(x, y)
    return (time.thread_time() - began_at) * 1e3


def measured(n: int, shift: float, theirs: Gap | None, rounds: int) -> Figure:
    """Return how long both take for one pair of samples."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.normal(shift, 1, n)
    acts = {"ours": ours} | ({"theirs": theirs} if theirs else {})
    assert len({act(x, y) for act in acts.values()}) == 1
    subjects = {name: partial(taken_ms, act, x, y) for name, act in acts.items()}
    found = in_turns(subjects, rounds=rounds)
    middle = {name: percentile(taken, 0.5) for name, taken in found.items()}
    title = f"largest gap of {n:,} and as many, shift {shift:g}"
    return Figure(title, "ms", middle["ours"], middle.get("theirs"), "sort and C", None, rounds)


def main() -> None:
    """Print both for each size and shift."""
    options = arguments(__doc__)
    rounds = 5 if options.quick else 25
    with tempfile.TemporaryDirectory() as folder:
        theirs = compiled(Path(folder))
        figures = [measured(n, shift, theirs, rounds) for n in SIZES for shift in SHIFTS]
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
