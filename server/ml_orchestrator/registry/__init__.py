"""Model versions, aliases, their history and integrity."""
