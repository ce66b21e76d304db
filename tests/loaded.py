"""Which modules a fresh interpreter has loaded after some code."""

import subprocess
import sys
from collections.abc import Sequence

__all__ = ["HEAVY", "loaded_after"]

HEAVY = ("mlflow", "optuna", "sqlalchemy", "numpy", "scipy", "pandas", "polars", "pyarrow",
         "sklearn", "skops", "dbos", "matplotlib", "psutil", "filelock")  # fmt: skip


def loaded_after(code: str, names: Sequence[str]) -> list[str]:
    """Run ``code`` and return those modules of ``names``, or below them, that it has loaded."""
    program = (
        f"{code}\nimport sys\n"
        f"print(*sorted(n for n in sys.modules if {{n, n.partition('.')[0]}} & {set(names)!r}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.split()
