"""The core: what happened, what may happen next, and what follows from it. Pure.

Rules of this layer: no async, no clock, no I/O, no logging, no randomness that is not handed in. Time
comes in as integers (microseconds since the epoch), bytes come in encoded.

Read in this order: `events` (what is recorded), `commands` (what workflow code asks for), `inputs` (what
arrives), `state` (what a history amounts to), `decide` (input and state give events), `draft` (a turn
being recorded, and the rows and effects that follow from its events), `replay` (does a command fit the
recorded event), `history` (the chain of digests), `codec` (events to bytes and back).
"""
