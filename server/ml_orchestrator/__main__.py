"""Run ``python -m ml_orchestrator``."""

from ml_orchestrator.cli import main

if __name__ == "__main__":
    main()
