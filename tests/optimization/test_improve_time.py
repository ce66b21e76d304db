"""Long and hostile prompts are read and made better in a time that their length lets expect.

Nothing is timed: every rule looks at every prompt in one child process, which is given up
after minutes where all of them take seconds.
"""

import json
import subprocess
import sys

from tests.analysis.test_analysis_time import PIECES

LIMIT_S = 240
OWN = (
    " ",
    "- a\n",
    "first, ",
    "etc. ",
    "stuff ",
    "and so on, ",
    "kindly ",
    "this text: ",
    "and write ",
)
PROGRAM = """
import json, sys
from ml_orchestrator.optimization.improve import MAX_CHARACTERS, candidates, improve

pieces, own = json.load(sys.stdin)
for piece in [*pieces, *own]:
    text = ("Classify this as a or b. " + piece * MAX_CHARACTERS)[: MAX_CHARACTERS - 1] + "x"
    if piece in own:
        assert improve(text).score_before >= 0, piece
    else:
        assert isinstance(candidates(text), dict), piece  # every rule looks at it once
print(len(pieces) + len(own))
"""


def test_no_prompt_of_20_000_characters_holds_the_rules_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([PIECES, OWN]),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(PIECES) + len(OWN)
