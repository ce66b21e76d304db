"""What ``/metrics`` of the HTTP transport says, and how it is told from others' pages."""

__all__ = ["CALLS", "QUEUE", "STRANGER", "is_ours"]

CALLS = "mcp_server_operation_duration_seconds"
QUEUE = "ml_orchestrator_queue_depth"
STRANGER = "This server is not known by that host name."  # with 403


def is_ours(status: int, text: str) -> bool:
    """Whether a server like ours answers so; one asked by another host name refuses."""
    if status == 403:
        return text.strip() == STRANGER
    return status == 200 and (CALLS in text or QUEUE in text)
