"""Model files of other hands: what they may hold, decided before anything in them runs."""
