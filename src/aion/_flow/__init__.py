"""The world as workflow code sees it: definitions, the deterministic event loop, and what may be awaited.

Rules of this layer: nothing here touches the outside. It turns recorded events into moves of coroutines,
and what the coroutines ask for into commands.

Read in this order: `definitions` (what users declare), `loop` (time and tasks), `stepper` (one run, moved
by events), `replayer` (a history against the code), `messages`, `api` (what workflow code calls).
"""
