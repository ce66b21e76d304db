"""Long and hostile prompts take no longer than their length lets expect.

Nothing is timed: every prompt is analysed in one child process, which is given up after minutes
where all of them take seconds. A pattern that backtracks over 20,000 characters needs hours.
"""

import json
import subprocess
import sys

LIMIT_S = 120
PIECES = [
    *("a", "a ", "A", "Aa ", " ", "\n", "\t\n", ".", "...", "?!", "1", "1.", "1,", "1-", "-"),
    *("1 may ", "may ", "$", "$1", "`", "``", "` `", "```", "```\n", "~~~\n", "<", "<a", "<a>"),
    *("</a>", "<a ", "{", "{{", "{{a", "}", "[", "[A ", "]", "(", "((", "'", "'a", '"', '"a'),
    *('" "', '"""', "“", "«", ">", "> a\n", "# ", "# a\n", "- ", "- a\n", "a:", "a: ", "a:\n"),
    *(
        "*",
        "**",
        "_",
        "__",
        "a_",
        "aB",
        "a.",
        "a/",
        "/",
        "./",
        "../",
        "\\",
        "a@",
        "a@a.",
        "http://",
    ),
    *(
        "http://a",
        "://",
        "e.g.",
        "Dr. ",
        "Dr. A",
        "Maria ",
        "Maria M",
        "you ",
        "you are ",
        "don't ",
    ),
    *("do not make ", "step by ", "of the ", "word-", "q1 ", "next ", "20 to ", "20 - 20 "),
    *("\ufffc", "\u0130", "\u4e00", "\u3002", "\u0301", "\U0001f642", "\u200d", "%s", "$A", "%(a"),
    *("{%", "[your "),
]
PROGRAM = """
import json, sys
from ml_orchestrator.analysis.analyse import MAX_CHARACTERS, analyse

pieces = json.load(sys.stdin)
for piece in pieces:
    text = ("Write x. " + piece * MAX_CHARACTERS)[: MAX_CHARACTERS - 1] + "x"
    assert analyse(text).n_analysed == MAX_CHARACTERS, piece
print(len(pieces))
"""


def test_no_prompt_of_20_000_characters_makes_a_pattern_backtrack() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(PIECES),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(PIECES)
