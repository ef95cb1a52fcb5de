"""What asyncio offers on a loop and a workflow must not use: each method, and what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from aion.errors import ForbiddenInWorkflow


def forbidden_method(name: str, instead: str) -> Any:
    """A method that names the alternative instead of doing its work."""

    def forbidden(self: object, *args: Any, **kwargs: Any) -> NoReturn:
        raise ForbiddenInWorkflow(f"loop.{name}() reaches outside the workflow: {instead}")

    forbidden.__name__ = name
    forbidden.__doc__ = f"Forbidden: {instead}."
    return forbidden


_AN_ACTIVITY = "do it in an activity"
FORBIDDEN_METHODS = {
    "run_in_executor": "a synchronous activity runs in a thread; await one instead",
    "call_soon_threadsafe": "send the workflow a signal instead",
    "set_task_factory": "tasks of a workflow are made by its own loop",
    "set_default_executor": "a synchronous activity runs in a thread; await one instead",
    "run_forever": "the engine runs the loop",
    "run_until_complete": "await the coroutine instead",
    "stop": "return from the workflow function instead",
    "set_exception_handler": "what no task or caller sees is logged; handle errors where they are raised",
    "add_signal_handler": "send the workflow a signal instead",
    "remove_signal_handler": "send the workflow a signal instead",
    **dict.fromkeys(
        (
            "getaddrinfo getnameinfo create_connection create_server create_unix_connection create_unix_server "
            "create_datagram_endpoint start_tls sendfile connect_read_pipe connect_write_pipe subprocess_shell "
            "subprocess_exec add_reader remove_reader add_writer remove_writer sock_recv sock_recv_into sock_sendall "
            "sock_connect sock_accept sock_sendfile sock_recvfrom sock_recvfrom_into sock_sendto "
            "connect_accepted_socket"
        ).split(),
        _AN_ACTIVITY,
    ),
}
"""Method → what to do instead."""
