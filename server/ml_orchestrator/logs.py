"""Logs on standard error only: one JSON object a line, or text for a person at a terminal.

What libraries say may quote an address with its login, which is left away.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

from ml_orchestrator.logins import without_logins

__all__ = ["log_to_stderr", "logged_run"]

# The run that is being worked on; each line of the log names it.
logged_run: ContextVar[str | None] = ContextVar("logged_run", default=None)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_logins(record.getMessage()),
        }
        if run := logged_run.get():
            line["run_id"] = run
        if record.exc_info:
            raised = "".join(traceback.format_exception(*record.exc_info))
            line["traceback"] = without_logins(raised)
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {without_logins(super().format(record))}"
        return "".join(sign if sign.isprintable() or sign in "\n\t" else "?" for sign in text)


def log_to_stderr(level: str, *, for_person: bool = False) -> None:
    """Send the log of this process to standard error; standard output is the protocol's.

    Args:
        level: The least that is logged.
        for_person: As text, and of INFO, the usual level, only warnings and above.
    """
    if for_person and level == "INFO":
        level = "WARNING"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if for_person else _JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for talkative in ("mlflow", "alembic", "httpx", "httpx2", "uvicorn.access", "mcp"):
        logging.getLogger(talkative).setLevel(max(logging.WARNING, logging.getLevelName(level)))
