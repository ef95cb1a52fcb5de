"""On whose behalf a call reaches outside: what the interpreter and the standard library do of their own is let pass.

That is imports and what modules do while they are imported, time zones, source lines for tracebacks, logging, and
finalisers, which run at the collector's whim in the middle of any code.
"""

from __future__ import annotations

import sys
from types import FrameType

_TRUSTED_MODULES = frozenset(
    (
        "importlib._bootstrap importlib._bootstrap_external _frozen_importlib _frozen_importlib_external zipimport "
        "zoneinfo zoneinfo._common zoneinfo._tzpath linecache logging logging.handlers weakref pdb"
    ).split()
)


def trusted(frame: FrameType | None, loop_module: str) -> bool:
    """Whether the call in `frame` is not the doing of workflow code.

    What lies below the loop's own frames is not looked at: that an import started the whole program does not matter.
    """
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in _TRUSTED_MODULES or frame.f_code.co_name == "__del__":
            return True
        if module == loop_module:
            return False
        frame = frame.f_back
    return False


def is_time_zone(path: object, mode: object) -> bool:
    """Whether a file that is opened is one of the time zones that `zoneinfo` reads: in C, so that no frame tells."""
    zoneinfo = sys.modules.get("zoneinfo")
    folders = tuple(f"{folder}/" for folder in getattr(zoneinfo, "TZPATH", ()))
    return mode in ("r", "rb") and isinstance(path, str) and path.startswith(folders) and ".." not in path
