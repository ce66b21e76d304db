"""Prompts read offline: what they name, what they are about, what they lack, which rules fit."""
