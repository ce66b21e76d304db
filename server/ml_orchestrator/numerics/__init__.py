"""Mathematics on arrays, with no project types."""
