"""Searches over sets of rules: what helps, what it costs, and whether that holds elsewhere."""
