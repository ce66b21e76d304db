"""The Python that agent definitions paste, word for word, run as a project would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKS = Path(__file__).parent
LOAD = (BLOCKS / "origin_load.txt").read_text(encoding="utf-8")
UPDATE = (BLOCKS / "origin_update.txt").read_text(encoding="utf-8")
SAVE_AND_REPORT = """
import json
save_my_memory("ml-orchestrator", load_my_memory("ml-orchestrator"))
print(json.dumps({
    "memory": load_my_memory("ml-orchestrator"),
    "theirs": manager.get_unread_messages("performance-engineer"),
}))
"""


def test_both_blocks_run_against_the_store_of_the_project(tmp_path: Path) -> None:
    (tmp_path / ".claude").symlink_to(ROOT / ".claude")

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD + UPDATE + SAVE_AND_REPORT],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith(("ML_ORCH", "CLAUDE"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    (task,) = found["memory"]["task_history"]
    (insight,) = found["memory"]["optimization_insights"]
    colleagues = found["memory"]["collaboration_patterns"]["frequent_collaborators"]
    (message,) = found["theirs"]
    assert task["outcome"] == "partial"  # the choice was left open: taken at its most cautious
    assert insight["impact"] == "low"
    assert [c["agent_name"] for c in colleagues] == [
        "data-pipeline-specialist",
        "infrastructure-specialist",
    ]
    assert (message["priority"], message["from_agent"]) == ("high", "ml-orchestrator")
    assert (tmp_path / ".ml-orchestrator" / "state.db").exists()
