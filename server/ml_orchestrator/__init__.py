"""ML orchestration behind MCP tools: memory, messages, training, registry, drift, workflows."""

__version__ = "0.1.0"
__all__ = ["__version__"]
