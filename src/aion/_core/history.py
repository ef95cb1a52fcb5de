"""The chain of digests that ties every event to all that came before it in its run."""

from __future__ import annotations

from hashlib import sha256


def first_digest(namespace: str, workflow_id: str, run_id: str) -> bytes:
    """What the first event of a run chains to."""
    return sha256(f"aion.history.1\0{namespace}\0{workflow_id}\0{run_id}".encode()).digest()


def next_digest(previous: bytes, seq: int, type: str, time: int, data: bytes) -> bytes:
    """The digest of an event: of the digest before it, its position, type, time and stored bytes.

    The fields before `data` have no zero byte and fixed places, so no two events share an encoding.
    """
    return sha256(b"%b%d\0%b\0%d\0%b" % (previous, seq, type.encode(), time, data)).digest()
