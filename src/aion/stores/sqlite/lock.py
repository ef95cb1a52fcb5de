"""The right to write to one file, held through the operating system.

The lock is on `<path>.lock`, which also tells the holder's pid to whoever comes second. It belongs to the
open file, so the kernel drops it however the process ends, and a second store in the same process meets it
too. The lock file may stay behind a kill; it means nothing then.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable
from contextlib import suppress

from aion.errors import StoreLocked
from aion.stores.sqlite.failures import from_os


class WriteLock:
    """Held from construction until `release`."""

    def __init__(self, path: str) -> None:
        self.path = f"{path}.lock"
        self._fd = _acquire(path, self.path)
        # A forked child inherits the open file and with it the lock, which would outlive a killed parent.
        os.register_at_fork(after_in_child=_forget(weakref.ref(self)))

    def release(self) -> None:
        """Let go, and leave no file behind. Calling it again does nothing."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            self.forget()

    def forget(self) -> None:
        """Close this process's side without giving the lock up for others that share it."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _acquire(path: str, lock_path: str) -> int:
    while True:
        try:
            fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os(error, lock_path) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _read_pid(fd)
            os.close(fd)
            raise _held(path, pid) from error
        except OSError as error:
            os.close(fd)
            raise from_os(error, lock_path) from error
        if _is_current(fd, lock_path):
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            return fd
        # Its last holder removed the file between our open and our lock: nobody else would meet us here.
        os.close(fd)


def _is_current(fd: int, lock_path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(lock_path))
    except FileNotFoundError:
        return False


def _read_pid(fd: int) -> int | None:
    """The holder's pid, unless it took the lock a moment ago and has not written it yet."""
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _held(path: str, pid: int | None) -> StoreLocked:
    if pid == os.getpid():
        return StoreLocked(f"{path} is open for writing in this process already: use that engine, or close it", pid)
    who = f"process {pid}" if pid is not None else "another process"
    return StoreLocked(
        f"{path} is open for writing in {who}: stop it, talk to it instead, or open the store read-only", pid
    )


def _forget(lock: weakref.ref[WriteLock]) -> Callable[[], None]:
    def in_child() -> None:
        held = lock()
        if held is not None:
            held.forget()

    return in_child
