"""Monitors at work: data read and judged when they are due, and what alerts set off."""
