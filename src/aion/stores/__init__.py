"""Where runs are kept: the contract (`base`), the oracle in memory, and SQLite.

Rules of this layer: stores know nothing of workflows, and nothing of each other.
"""
