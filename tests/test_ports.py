"""The simulated layers reach the world only through the six ports: clock, entropy, store, net, process, turn runner.

The simulation replaces the ports. It proves something only if nothing reaches around them, so the names that would
are banned wherever decisions are made. What is let pass is listed with its reason; an entry that nothing needs any
more fails the test, so that the list never covers for the next offender.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from tests.source_tree import python_trees, uses

CLOCK = "take the time from the clock port (or, in a workflow, from history)"
ENTROPY = "take ids and randomness from the entropy port"
RUNNER = "hand the work to the turn runner or the activity runner"
STORE = "the store keeps what lasts; this layer touches no file"
NET = "the network is a port"
PROCESS = "processes and signals belong to the edges"
SUPERVISOR = "add a child to the supervisor, so that a failure is seen and answered"
IDENTITY = "object identity and hash differ from process to process; compare by value or by creation index"

# A leading "*" matches the method of any object; a trailing "()" only a call: of a builtin, or without arguments.
BANNED = {
    "time.*": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.date.today": CLOCK,
    "asyncio.sleep": CLOCK,
    "random.[!R]*": ENTROPY,  # random.Random is pure when it is given a seed, which the next line asks for
    "random.Random()": ENTROPY,
    "uuid.uuid[1467]": ENTROPY,
    "uuid.getnode": ENTROPY,
    "secrets.*": ENTROPY,
    "os.urandom": ENTROPY,
    "threading.*": RUNNER,
    "_thread.*": RUNNER,
    "concurrent.futures.*": RUNNER,
    "multiprocessing.*": RUNNER,
    "asyncio.to_thread": RUNNER,
    "*.run_in_executor": RUNNER,
    "open": STORE,
    "io.open": STORE,
    "os.open": STORE,
    "pathlib.*": STORE,
    "tempfile.*": STORE,
    "socket.*": NET,
    "asyncio.open_connection": NET,
    "asyncio.start_server": NET,
    "subprocess.*": PROCESS,
    "asyncio.create_subprocess_*": PROCESS,
    "os.fork": PROCESS,
    "os.kill": PROCESS,
    "os._exit": PROCESS,
    "signal.*": PROCESS,
    "*.create_task": SUPERVISOR,
    "asyncio.ensure_future": SUPERVISOR,
}
BANNED_IN_CORE = BANNED | {"id()": IDENTITY, "hash()": IDENTITY}
# On the workflow loop a task and a sleep are recorded like all else: making them is what the layer is for.
BANNED_IN_FLOW = {k: v for k, v in BANNED.items() if k != "asyncio.sleep" and v is not SUPERVISOR}
BANNED_IN_LAYER = {"_core": BANNED_IN_CORE, "_flow": BANNED_IN_FLOW, "_runtime": BANNED}

# (file under src/aion, banned name) → why it is right there.
ALLOWED: dict[tuple[str, str], str] = {
    ("_flow/definitions.py", "open"): "reads a definition's own source to hash it, when it is registered",
    ("_runtime/clock.py", "time.*"): "is the clock port",
    ("_runtime/entropy.py", "os.urandom"): "is the entropy port",
    ("_runtime/entropy.py", "random.Random()"): "is the entropy port",
    ("_runtime/runner.py", "threading.*"): "is the turn runner: a thread of its own for workflow code",
    ("_runtime/runner.py", "asyncio.to_thread"): "is the turn runner: blocking calls leave the event loop here",
    ("_runtime/threads.py", "threading.*"): "a lock of the pool for sync activities, whose threads the runner starts",
    ("_runtime/dispatch.py", "*.create_task"): "an async activity is a task, and how it ends is always reported",
}


def test_the_simulated_layers_reach_the_world_only_through_the_ports() -> None:
    """No clock, thread, file, socket, process or bare task is used where the simulation could not replace it."""
    found, used = [], set()
    for layer, banned in BANNED_IN_LAYER.items():
        for name, tree in python_trees(f"src/aion/{layer}"):
            file = name.removeprefix("src/aion/")
            for line, call in uses(tree):
                for pattern in (pattern for pattern in banned if matches(call, pattern)):
                    used.add((file, pattern))
                    if (file, pattern) not in ALLOWED:
                        found.append(f"{name}:{line}: {call}: {banned[pattern]}")

    assert "\n".join(found) == ""
    assert [entry for entry in ALLOWED if entry not in used] == [], "take these off the list: nothing needs them"


def matches(name: str, pattern: str) -> bool:
    """Whether a use is what a pattern bans; a pattern for calls bans no mention, and one for names no call twice."""
    return fnmatchcase(name, pattern) and name.endswith("()") == pattern.endswith("()")
