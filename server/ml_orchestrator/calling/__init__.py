"""The server's tools in a terminal: ``ml-orchestrator call``, ``train`` and ``registry``."""
