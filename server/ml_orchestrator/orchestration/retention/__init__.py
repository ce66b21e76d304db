"""How long what is over is kept: finished runs with their files, and looks of monitors.

A worker removes what is older beside its work (``pruner``), a person by hand (``ml-orchestrator
runs prune``). One pass (``walk``) goes from the newest run to the oldest. A run goes whole, with
all its attempts, once none of them is as young as ``rules`` keeps. Where directories share a
database, each looks at its own (``owning``). Four things hold on to a run: that it is among the
newest of its workflow, that something unfinished names it (``naming``), that a run which stays took
a cached output from it, and that it may have registered a version (``evidence``): then its files
go, and its row in the workflow database stays to tell where the version came from.

The order is: the folder is renamed out of ``runs/`` (``folders``), which is the decision and
survives a crash; then the rows of the workflow database go, all attempts in one transaction, unless
one has changed meanwhile: then the folder is renamed back; then progress and the note of where its
files were; then the files. Whoever comes next finishes what was renamed, before anything else.
"""
