"""Experiments: which of several arms is better, and what may be said of it."""
