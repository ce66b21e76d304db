"""Roll-outs: bringing a version before users step by step, and back by itself if it is worse."""
