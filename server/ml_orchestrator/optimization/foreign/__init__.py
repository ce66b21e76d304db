"""Prompts in other languages than English: what they lack is asked, and nothing is written in."""
