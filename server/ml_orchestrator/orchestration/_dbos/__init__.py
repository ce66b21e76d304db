"""Workflows on DBOS Transact: the client that starts and reads runs, the engine that runs them.

Written for dbos 3.4; the minor version is pinned, because ``_recover_pending_workflows`` and
``queue_worker_thread`` are half public. Everything is stored as JSON, never as pickles.
"""
