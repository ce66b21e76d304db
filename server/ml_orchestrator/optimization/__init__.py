"""Prompts made better: rules that rewrite them, a rubric that scores them, searches over both."""
