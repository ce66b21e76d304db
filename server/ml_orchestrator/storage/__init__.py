"""Where state lives: the engine, the schema, its migrations and short transactions."""
