"""Statements about outcomes that can be checked: patterns and experiments."""
