"""`python -m aion`: the command line where the `aion` command is not on the path."""

from __future__ import annotations

from aion.cli.main import main

if __name__ == "__main__":
    main()
