"""From a table to a tuned, honestly scored pipeline."""
