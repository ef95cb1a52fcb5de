"""What holds for every test: how hypothesis searches, and which tests start real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ACCEPTANCE = Path(__file__).parent / "acceptance"

# No deadline: how long an example takes depends on what else the machine does, and says nothing about the code.
# CI draws the same examples each time, so that a submission fails for its own faults only; at home they are fresh.
settings.register_profile("home", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in `tests/acceptance`, so that `-m 'not acceptance'` leaves the slow part out."""
    for item in items:
        if ACCEPTANCE in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
