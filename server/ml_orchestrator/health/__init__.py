"""Drift and the state of things."""
