"""Smaller and faster models, each held against the one it was made from."""
