"""``ml-orchestrator doctor``: finds common faults of an installation and says what to do.

It reads only. The cheap checks come first and import nothing heavy.
"""
