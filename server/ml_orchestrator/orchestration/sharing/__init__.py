"""Several workers on one Postgres: whose runs each takes, who is alive, who is at which step."""
