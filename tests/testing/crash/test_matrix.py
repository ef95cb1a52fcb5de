"""Kill cells are found in the source, however their names are put together."""

from __future__ import annotations

import pytest

from aion._core.codec import NAME_OF
from aion.testing.crash.matrix import kill_cells, places_in

STORE = """
class Writer:
    def claim(self):
        self._transact("claim", work)

    def commit(self):
        self._transact("commit", work)

    def _transact(self, name, work):
        if self._failpoint is not None:
            self._failpoint.reach(f"{name}.before_begin")
        failpoint(f"{name}.mid_tx")
        failpoint("commit.late", writes)
"""


def test_names_are_followed_to_where_their_parts_come_from() -> None:
    """A parameter stands for each constant that is passed for it."""
    assert sorted(places_in(STORE)) == [
        "claim.before_begin",
        "claim.mid_tx",
        "commit.before_begin",
        "commit.late",
        "commit.mid_tx",
    ]


def test_a_name_that_cannot_be_followed_is_an_error() -> None:
    """Else the place would be attacked by nobody."""
    with pytest.raises(ValueError, match=r"line 3: cannot tell which failpoint prefix \+ 'x' is"):
        list(places_in("def work():\n    prefix = input()\n    failpoint(prefix + 'x')\n"))


def test_every_event_has_a_cell_at_every_place_of_a_commit() -> None:
    """Before it begins, within it, and after it, until its effects are out."""
    cells = kill_cells()
    places = {cell.split("[")[0] for cell in cells if cell.startswith("commit.")}

    assert places == {
        "commit.before_begin",
        "commit.mid_tx",
        "commit.after_commit",
        "commit.before_ack",
        "commit.after_ack",
    }
    assert [
        f"{place}[{name}]" for place in places for name in NAME_OF.values() if f"{place}[{name}]" not in cells
    ] == []
