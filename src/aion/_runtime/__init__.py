"""The runtime: feeds inputs to runs, commits what follows in groups, and carries out effects afterwards.

Rules of this layer: it knows the store contract, never a store. One thread, the engine thread, owns every
run in memory and all tables of this package; other threads hand it requests through one queue and get
their answers on the loop that opened the engine. Nothing runs in the background except under `supervisor`.

Read in this order: `requests` (what may be asked), `scheduler` (the loop of the engine thread), `resident`
(a run in memory), `turn` (one run takes its inputs), `commit` (many turns, one flush), `residency` (load and
evict), `timers`, `recovery`, `dispatch` (activities), `engine` (what users hold).
"""
