"""Carrying roll-outs out: doing what the plan wants, in a worker that may die at any moment."""
