"""A prompt bettered round by round: the caller writes candidates, this package judges them."""
