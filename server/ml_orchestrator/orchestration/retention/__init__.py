"""How long what is over is kept: finished runs with their files, and looks of monitors.

A worker removes what is older beside its work (``pruner``), a person by hand (``ml-orchestrator
runs prune``). One pass (``walk``) goes from the newest run to the oldest. A run goes whole, with
all its attempts, once none of them is as young as ``rules`` keeps. Three things hold on to one:
that it is among the newest of its workflow, that something unfinished names it (``naming``), and
that it registered a version: then its files go, and its row in the workflow database stays as
evidence of where the version came from.

The order is: the folder is renamed out of ``runs/`` (``folders``), which is the decision and
survives a crash; then progress goes, then the rows of the workflow database, all attempts in one
transaction; then the files. Whoever comes next finishes what was renamed, before anything else.
"""
