"""The adaptive event bus: what happened, told to whoever asks, in this process and in others.

Nothing heavy is imported here; what speaks to the database is in underscored modules, behind a
door. ``docs/events.md`` shows how to publish and how to listen.
"""
