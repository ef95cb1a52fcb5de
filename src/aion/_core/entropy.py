"""A run's own randomness, computed from who the run is, so that every replay sees the same.

`random.Random` gives the same numbers for the same seed on every supported version of Python; a test holds it to that.
"""

from __future__ import annotations

import hashlib
import random
import uuid

# Part of what is hashed, so that no other hash over the same ids can ever give the same number.
_DOMAIN = b"aion run randomness 1"


def seed_of(namespace: str, workflow_id: str, run_id: str) -> int:
    """The seed of a run: 256 bits that differ from run to run and never change for one."""
    digest = hashlib.sha256(_DOMAIN)
    for part in (namespace, workflow_id, run_id):
        data = part.encode()
        # The length goes first: otherwise ("ab", "c") and ("a", "bc") would share their numbers.
        digest.update(len(data).to_bytes(8))
        digest.update(data)
    return int.from_bytes(digest.digest())


def random_of(seed: int) -> random.Random:
    """A generator that always gives the same numbers for a seed."""
    return random.Random(seed)


def uuid4_from(rng: random.Random) -> uuid.UUID:
    """A UUID of version 4 from the next 128 bits of a generator."""
    return uuid.UUID(int=rng.getrandbits(128), version=4)
