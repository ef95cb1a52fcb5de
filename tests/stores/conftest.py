"""The contract lives in the package, so that other stores can use it; its assertions should explain themselves too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("aion.testing.store_contract", "aion.testing.store_reads", "aion.testing.store_rows")
