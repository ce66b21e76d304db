"""Patterns that go with an outcome, found on one part of the cases and checked on two others."""
