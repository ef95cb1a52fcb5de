"""Whatever reaches outside is refused in workflow code, and in nothing else that runs meanwhile."""

from __future__ import annotations

import ctypes
import gc
import glob
import importlib
import linecache
import logging
import logging.handlers
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import traceback
import urllib.request
import warnings
import weakref
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aion._flow import audit, guards
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import ToyLoop, inside

guards.install()

FILE = __file__
FOLDER = os.path.dirname(FILE)


REFUSED: dict[str, Callable[[], Any]] = {
    r"open\('.*test_audit.py'\) .* do it in an activity": lambda: open(FILE),  # noqa: SIM115
    r"open\(": lambda: os.open(FILE, os.O_RDONLY),
    r"open\('.*test_audit.py'\) ": lambda: Path(FILE).read_text(),
    r"os.listdir\(": lambda: os.listdir(FOLDER),
    r"os.scandir\(": lambda: list(os.scandir(FOLDER)),
    r"os.walk\(|os.scandir\(": lambda: list(os.walk(FOLDER)),
    r"glob.glob\('\*'\)": lambda: glob.glob("*"),
    r"os.mkdir\('nothing'\)": lambda: os.mkdir("nothing"),
    r"os.rmdir": lambda: os.rmdir("nothing"),
    r"os.remove": lambda: os.remove("nothing"),
    r"os.rename": lambda: os.rename("nothing", "less"),
    r"os.chdir": lambda: os.chdir("."),
    r"shutil.rmtree": lambda: shutil.rmtree("nothing"),
    r"shutil.copyfile|open": lambda: shutil.copyfile("nothing", "less"),
    r"tempfile.mkdtemp\('": lambda: tempfile.mkdtemp(),
    r"tempfile.mkstemp\('": lambda: tempfile.mkstemp(),
    r"socket\(\) .* talk to the network in an activity": lambda: socket.socket(),
    r"socket.gethostname\(\)": lambda: socket.gethostname(),
    r"socket.gethostbyname": lambda: socket.gethostbyname("localhost"),
    r"urllib.Request\('http://localhost'\)": lambda: urllib.request.urlopen("http://localhost"),
    r"subprocess.Popen\('true'\) .* run the program in an activity": lambda: subprocess.run(["true"], check=False),
    r"os.system\(b'true'\)": lambda: os.system("true"),
    r"os.fork\(\)": lambda: sys.audit("os.fork"),
    r"os.posix_spawn\('true'\)": lambda: os.posix_spawn("true", ["true"], {}),
    r"os.exec\('true'\)": lambda: sys.audit("os.exec", "true", ["true"], None),
    r"os.kill\(\)": lambda: os.kill(os.getpid(), 0),
    r"signal.pthread_kill": lambda: signal.pthread_kill(0, 0),
    r"sqlite3.connect\(':memory:'\) .* use the database in an activity": lambda: sqlite3.connect(":memory:"),
    r"ctypes.dlopen\(\) .* native code in an activity": lambda: ctypes.CDLL(None),
    r"input\('name\?'\) .* aion.Signal": lambda: input("name?"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_reaches_outside_is_refused_with_what_to_do_instead(message: str) -> None:
    """Before anything has happened."""
    with pytest.raises(ForbiddenInWorkflow, match=message):
        inside(REFUSED[message])


def test_outside_workflows_nothing_is_refused(tmp_path: Path) -> None:
    """The hook is inert there."""
    (tmp_path / "file").write_text("text")

    assert os.listdir(tmp_path) == ["file"]
    assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0


def test_a_loop_that_is_not_guarded_refuses_nothing() -> None:
    """The engine's own doings may be."""
    assert inside(lambda: os.listdir(FOLDER), guarded=False)


def test_the_loop_is_asked_each_time() -> None:
    """Guards can be lifted for a moment."""
    loop = ToyLoop()

    async def main() -> bool:
        loop.guarded = False
        os.listdir(FOLDER)
        loop.guarded = True
        with pytest.raises(ForbiddenInWorkflow):
            os.listdir(FOLDER)
        return True

    assert loop.run(main())


def test_what_does_not_reach_outside_is_not_touched() -> None:
    """Dynamic code, collections, attributes."""
    assert inside(lambda: (eval("1 + 1"), gc.get_count() and id(FILE) > 0)) == (2, True)


@pytest.fixture
def module_that_reads(tmp_path: Path) -> Iterator[str]:
    """The name of a module that reads a file while it is imported, and on a call."""
    (tmp_path / "data").write_text("read")
    (tmp_path / "reader_of_data.py").write_text(
        "import os, threading\n"
        "from pathlib import Path\n"
        "def read(): return Path(__file__).with_name('data').read_text()\n"
        "TEXT = read()\n"
        "thread = threading.Thread(target=list); thread.start(); thread.join()\n"
    )
    sys.path.insert(0, str(tmp_path))
    yield "reader_of_data"
    sys.path.remove(str(tmp_path))
    sys.modules.pop("reader_of_data", None)


def test_modules_may_be_imported_and_do_anything_meanwhile(module_that_reads: str) -> None:
    """What they do later is refused."""

    def load() -> Any:
        return importlib.import_module(module_that_reads)

    module = inside(load)

    assert module.TEXT == "read"
    with pytest.raises(ForbiddenInWorkflow):
        inside(module.read)


def test_time_zones_may_be_loaded() -> None:
    """They are part of the standard library."""
    zone = inside(lambda: zoneinfo.ZoneInfo.no_cache("Europe/Oslo"))

    assert zone.key == "Europe/Oslo"


def test_tracebacks_may_show_source_lines() -> None:
    """Of an exception that the workflow caught."""

    def fail() -> str:
        linecache.clearcache()
        try:
            raise KeyError("here")
        except KeyError:
            return traceback.format_exc()

    assert 'raise KeyError("here")' in inside(fail)


def test_log_handlers_may_open_their_files(tmp_path: Path) -> None:
    """A handler with a delay opens at the first record, and one that rotates renames."""
    handler = logging.handlers.RotatingFileHandler(tmp_path / "log", maxBytes=1, backupCount=1, delay=True)

    def log() -> None:
        for text in ("one", "two"):
            handler.handle(logging.makeLogRecord({"msg": text}))

    inside(log)
    handler.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]


def test_warnings_may_be_shown() -> None:
    """With the line that they are about."""

    linecache.clearcache()
    shown = inside(lambda: warnings.formatwarning("odd", UserWarning, FILE, 1))

    assert "Whatever reaches outside is refused in workflow code" in shown


def test_finalisers_of_others_do_their_work(tmp_path: Path) -> None:
    """The collector runs them in the middle of any code."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    class Folder:
        """Removes a folder when it is collected."""

        def __del__(self) -> None:
            os.rmdir(tmp_path / "one")

    class Other:
        """Has a finaliser from outside."""

    kept: list[object] = [Folder(), Other()]
    weakref.finalize(kept[1], os.rmdir, tmp_path / "two")
    inside(kept.clear)

    assert list(tmp_path.iterdir()) == []


def test_every_event_says_what_to_do_instead() -> None:
    """None is refused without advice."""
    assert [event for event, instead in audit.REFUSED.items() if len(instead) < 20] == []


def test_events_that_this_python_may_not_raise_are_refused_too() -> None:
    """Newer versions tell of more."""
    with pytest.raises(ForbiddenInWorkflow, match=r"time.sleep\(\) .* `await asyncio.sleep"):
        inside(lambda: sys.audit("time.sleep", 1))
    with pytest.raises(ForbiddenInWorkflow, match=r"_thread.start_joinable_thread\(\) .* asyncio.create_task"):
        inside(lambda: sys.audit("_thread.start_joinable_thread", None, 0, None))


def test_the_hook_itself_looks_at_event_loop_and_caller() -> None:
    """In this order; called here as the interpreter calls it, which hides it from measuring tools."""

    def hook(event: str, *args: object) -> None:
        audit._hook(event, args)

    hook("open", FILE, "r", 0)
    inside(lambda: hook("compile", None, None))
    inside(lambda: hook("open", FILE, "r", 0), guarded=False)
    inside(lambda: hook("open", f"{zoneinfo.TZPATH[0]}/Europe/Oslo", "r", 0))
    with pytest.raises(ForbiddenInWorkflow, match=r"open\('data'\)"):
        inside(lambda: hook("open", "data", "r", 0))
    with pytest.raises(ForbiddenInWorkflow, match=r"open\(\)"):
        inside(lambda: hook("open", 3, "r", 0))


def test_the_hook_passes_what_is_done_by_others() -> None:
    """Here, by a finaliser."""

    class Other:
        """Opens something when it is collected."""

        def __del__(self) -> None:
            audit._hook("open", ("data", "r", 0))
            done.append(True)

    done: list[bool] = []
    kept: list[object] = [Other()]
    inside(kept.clear)

    assert done == [True]
