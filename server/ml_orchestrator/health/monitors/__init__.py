"""Monitors: what they watch, when a finding becomes an alert, and what is kept of both."""
