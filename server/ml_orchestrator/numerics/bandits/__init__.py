"""Choosing among arms: rules that learn from rewards in [0, 1], and the chance of each choice."""
