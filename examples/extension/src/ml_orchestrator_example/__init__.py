"""A trainer, a drift test and a prompt rule for ml-orchestrator, each in a module of its own."""
