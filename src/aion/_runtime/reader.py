"""Looking at a store without an engine: read-only, also beside a process that has it open for writing."""

from __future__ import annotations

import base64
from types import TracebackType

import msgspec

from aion._core.ids import check_id
from aion._runtime.filters import parse_filter
from aion._runtime.views import Description, History, Page, description_of, event_of_row
from aion.errors import InvalidInput, NotFound
from aion.stores.base import RunRecord, Store

LIST_LIMIT_MAX = 10_000


class RunReader:
    """Lists, descriptions and histories of one namespace of a store. All calls block; `with` closes the store."""

    def __init__(self, store: Store, namespace: str = "default") -> None:
        self._store = store
        self._namespace = check_id(namespace, "namespace")

    def list(self, filter: str = "", *, limit: int = 100, cursor: str | None = None) -> Page:
        """A page of runs, by start time, then id.

        Raises:
            InvalidFilter: the filter cannot be read; `position` says where.
        """
        if not 1 <= limit <= LIST_LIMIT_MAX:
            raise InvalidInput(f"limit={limit!r}: expected 1 to {LIST_LIMIT_MAX:,}")
        wanted = parse_filter(filter, self._namespace)
        records = self._store.list_runs(wanted, limit, None if cursor is None else read_cursor(cursor))
        return Page([description_of(record) for record in records], cursor_after(records, limit))

    def describe(self, id: str, run_id: str | None = None) -> Description:
        """What lists show of a run, and more; without `run_id`, of the newest run of that id.

        Raises:
            NotFound: there is no such workflow or run.
        """
        return description_of(self._record(id, run_id))

    def history(self, id: str, run_id: str | None = None, *, from_seq: int = 1) -> History:
        """The events of a run recorded so far, from `from_seq` on.

        Raises:
            NotFound: there is no such workflow or run.
        """
        rows = self._store.history(self._record(id, run_id).run, from_seq)
        return History(event_of_row(row) for row in rows)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def __enter__(self) -> RunReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, id: str, run_id: str | None) -> RunRecord:
        record = self._store.find(self._namespace, check_id(id, "workflow id"), run_id)
        if record is None:
            what = f"there is no workflow {id!r}" + (f" with run {run_id!r}" if run_id else "")
            raise NotFound(f"{what} in namespace {self._namespace!r}")
        return record


def cursor_after(records: list[RunRecord], limit: int) -> str | None:
    """From where the next page goes on; None when this one was not full, so there is none."""
    if len(records) < limit:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode((records[-1].started, records[-1].run))).decode()


def read_cursor(cursor: str) -> tuple[int, int]:
    """The place that a cursor stands for.

    Raises:
        InvalidInput: no list gave this cursor.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[int, int])
    except (ValueError, msgspec.DecodeError) as exc:
        raise InvalidInput(f"cursor {cursor!r} is not one that a list gave") from exc
