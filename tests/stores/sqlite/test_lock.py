"""Who may write to a file is decided by a lock of the operating system."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest

from aion.errors import StoreLocked
from aion.stores.sqlite import SqliteStore
from aion.stores.sqlite.lock import WriteLock
from tests.stores.sqlite.processes import run, running

HOLD = """
store = SqliteStore.open(path)
print("open", flush=True)
sys.stdin.read()
"""

HOLD_AND_FORK = """
store = SqliteStore.open(path)
if os.fork() == 0:
    print(os.getpid(), flush=True)
signal.pause()
"""

USE_AFTER_FORK = """
from aion.errors import StoreError
store = SqliteStore.open(path)
owner = Owner(store)
if os.fork() == 0:
    for call in (lambda: store.commit(owner.flush()), lambda: store.history(1)):
        try:
            call()
            os._exit(1)
        except StoreError as error:
            assert "forked" in str(error), error
    store.close()
    os._exit(0)
_, status = os.wait()
store.commit(owner.flush())
print(status, os.path.exists(path + ".lock"))
"""


def test_a_file_is_open_for_writing_once_in_a_process(tmp_path: Path) -> None:
    """The second store in one process is refused like one in another, and says that it is this process."""
    path = tmp_path / "aion.db"
    store = SqliteStore.open(path)
    with pytest.raises(StoreLocked, match="in this process") as caught:
        SqliteStore.open(path)
    store.close()

    assert caught.value.pid == os.getpid()
    SqliteStore.open(path).close()


def test_a_link_to_the_file_meets_the_same_lock(tmp_path: Path) -> None:
    """One file has one lock, under whichever name it is opened."""
    store = SqliteStore.open(tmp_path / "aion.db")
    os.symlink(tmp_path / "aion.db", tmp_path / "link.db")
    with pytest.raises(StoreLocked):
        SqliteStore.open(tmp_path / "link.db")
    store.close()


def test_a_second_process_learns_who_holds_the_lock_and_gets_it_after_a_kill(tmp_path: Path) -> None:
    """The refusal names the holder's pid; a killed holder leaves no lock behind."""
    path = tmp_path / "aion.db"
    with running(HOLD, path) as (process, line):
        assert line == "open"
        with pytest.raises(StoreLocked, match=f"process {process.pid}") as caught:
            SqliteStore.open(path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store = SqliteStore.open(path)
    store.close()

    assert caught.value.pid == process.pid


def test_a_forked_child_does_not_keep_the_lock_of_a_killed_parent(tmp_path: Path) -> None:
    """Worker processes that outlive the engine must not keep it from starting again."""
    path = tmp_path / "aion.db"
    with running(HOLD_AND_FORK, path) as (process, child):
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            SqliteStore.open(path).close()
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_forked_child_cannot_use_or_close_the_store(tmp_path: Path) -> None:
    """SQLite connections do not survive a fork, so every call says so; the parent goes on unharmed."""
    status, printed = run(USE_AFTER_FORK, tmp_path / "aion.db")

    assert (status, printed) == (0, "0 True")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A clean close leaves the database alone, with no log and no lock file."""
    SqliteStore.open(tmp_path / "aion.db").close()

    assert os.listdir(tmp_path) == ["aion.db"]


def test_a_lock_file_that_was_left_behind_means_nothing(tmp_path: Path) -> None:
    """After a kill the file may still be there, with the pid of a process that is not."""
    path = str(tmp_path / "aion.db")
    Path(f"{path}.lock").write_text("99999999999999999999 what is this\n")
    lock = WriteLock(path)
    text = Path(lock.path).read_text()
    lock.release()

    assert text == f"{os.getpid()}\n"


def test_a_lock_file_that_vanished_while_it_was_being_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever locked a file that its last holder has just removed would stand guard where nobody comes by."""
    path = str(tmp_path / "aion.db")
    flock = fcntl.flock
    removed: list[str] = []

    def remove_then_lock(fd: int, operation: int) -> None:
        if not removed:
            os.unlink(f"{path}.lock")
            removed.append(path)
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", remove_then_lock)
    lock = WriteLock(path)
    with pytest.raises(StoreLocked):
        WriteLock(path)
    lock.release()

    assert (removed, os.listdir(tmp_path)) == ([path], [])


def test_a_holder_that_has_not_signed_yet_is_still_a_holder(tmp_path: Path) -> None:
    """Between taking the lock and writing its pid a holder is unknown, and the refusal does not guess."""
    path = str(tmp_path / "aion.db")
    lock = WriteLock(path)
    os.truncate(lock.path, 0)
    with pytest.raises(StoreLocked, match="another process") as caught:
        WriteLock(path)
    lock.release()

    assert caught.value.pid is None
