"""Write mabwiser's LinUCB decisions on digits that tests/numerics/test_lin_ucb_decisions.py checks.

.venv/bin/python benchmarks/bandit_reference.py
"""

import json
import subprocess
import sys
from pathlib import Path

from _peers import peer_python

PROGRAM = Path(__file__).parent / "bandit_peers" / "mabwiser_program.py"
OUTPUT = Path(__file__).parents[1] / "tests" / "numerics" / "mabwiser_decisions.json"
SEED = 0


def main() -> int:
    """Ask mabwiser and write its decisions, one digit each."""
    python = peer_python("mabwiser", "mabwiser==2.7.4")
    if python is None:
        return 1
    command = [str(python), "-W", "ignore", str(PROGRAM), "linucb", str(SEED)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    decisions = "".join(map(str, json.loads(done.stdout.splitlines()[-1])["answer"]))
    lines = [decisions[i : i + 80] for i in range(0, len(decisions), 80)]
    made = {"made_by": "benchmarks/bandit_reference.py, mabwiser 2.7.4", "seed": SEED}
    OUTPUT.write_text(json.dumps({**made, "decisions": lines}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
