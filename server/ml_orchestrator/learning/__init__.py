"""Which rules to apply: chosen by what was learned, logged with its chances, judged later."""
