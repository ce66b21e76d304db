"""Starts the server for a client that must not wait: standard library only, Python 3.9 on.

Runs before any dependency is installed. ``main`` listens to the client and hands each line to
the ``session``, which answers from the ``manifest`` until the ``keeper`` has an ``environment``
and a server ``process`` in it.
"""
