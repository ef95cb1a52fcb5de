"""The audit hook: calls by which workflow code would reach outside raise `ForbiddenInWorkflow`.

The interpreter has one hook of ours, for good; it does nothing where no workflow code runs. It sees what opens files,
sockets, programs and databases. What the standard library does of its own is let pass, see `trust`.
"""

from __future__ import annotations

import sys
from typing import Any

from aion._flow.refusals import DATABASE, FILES, INPUT, NATIVE, NETWORK, PROGRAMS, SLEEP, THREADS, refusal
from aion._flow.running import IS_WORKFLOW, get_running_loop
from aion._flow.trust import is_time_zone, trusted

# Audit event → what to do instead. Each is refused, unless it is not workflow code that asks.
REFUSED = {
    **dict.fromkeys(
        (
            "open os.open os.listdir os.scandir os.walk os.fwalk glob.glob os.mkdir os.rmdir os.remove os.rename "
            "os.link os.symlink os.truncate os.chmod os.chown os.chflags os.utime os.chdir os.lockf os.getxattr "
            "os.setxattr os.listxattr os.removexattr shutil.copyfile shutil.copymode shutil.copystat "
            "shutil.copytree shutil.move shutil.rmtree shutil.chown shutil.make_archive shutil.unpack_archive "
            "tempfile.mkstemp tempfile.mkdtemp mmap.__new__ fcntl.fcntl fcntl.flock fcntl.ioctl fcntl.lockf"
        ).split(),
        FILES,
    ),
    **dict.fromkeys(
        (
            "socket.__new__ socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo "
            "socket.gethostbyname socket.gethostbyaddr socket.gethostname socket.getnameinfo socket.getservbyname "
            "socket.getservbyport socket.sethostname urllib.Request http.client.connect http.client.send "
            "smtplib.connect smtplib.send ftplib.connect ftplib.sendcmd imaplib.open imaplib.send poplib.connect "
            "poplib.putline telnetlib.Telnet.open nntplib.connect webbrowser.open"
        ).split(),
        NETWORK,
    ),
    **dict.fromkeys(
        (
            "subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile "
            "os.startfile/2 os.kill os.killpg signal.pthread_kill pty.spawn _winapi.CreateProcess"
        ).split(),
        PROGRAMS,
    ),
    **dict.fromkeys("_thread.start_new_thread _thread.start_joinable_thread".split(), THREADS),
    **dict.fromkeys("sqlite3.connect sqlite3.connect/handle sqlite3.load_extension".split(), DATABASE),
    **dict.fromkeys("ctypes.dlopen ctypes.dlsym ctypes.dlsym/handle ctypes.call_function".split(), NATIVE),
    "builtins.input": INPUT,
    "time.sleep": SLEEP,
}


def install() -> None:
    """Add the hook; `guards.install` sees to it that this happens once."""
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # In this order, because this runs for every event of the whole process: nearly all end at the first line.
    instead = REFUSED.get(event)
    if instead is None:
        return
    loop = get_running_loop()
    if loop is None or not IS_WORKFLOW[type(loop)] or not loop.guarded:
        return
    if event == "open" and is_time_zone(*args[:2]):
        return
    if not trusted(sys._getframe(1), type(loop).__module__):
        raise refusal(_told(event, args), instead)


def _told(event: str, args: tuple[Any, ...]) -> str:
    """The event as somebody would have written it, with what it was about if that is a text."""
    about = args[0] if args and isinstance(args[0], str | bytes) else None
    name = event.removeprefix("builtins.").removesuffix(".__new__").removesuffix("/handle")
    return f"{name}({about!r:.100})" if about is not None else f"{name}()"
