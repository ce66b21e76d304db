"""Compressing a registered version: its data again, its smaller models, and which one is kept."""
