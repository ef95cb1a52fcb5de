"""The benchmark suite: the same work on the engine, on the raw store and on a peer, compared inside one run.

Reading order: `measure` (how a figure is taken), `definitions` (the workflows), `workloads`, `sleepers`
and `replaying` (the work), `peers/dbos_bench` (the same work on DBOS), `child` (one measurement is one
process), `bars` (what is good enough), `run` (the order of it all) and `report` (tables and pages).
"""
