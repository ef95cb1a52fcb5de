"""The crash rig: programs are killed, started again, and what they leave behind is checked against a model.

Read in this order: `program` (what is killed), `calls` and `ledger` (what it writes down while it lives),
`failpoints` (where it dies), `rig` (who starts it), `checker` (what must hold afterwards), `matrix` (every place
where it can be killed, taken from the code).
"""

from aion.testing.crash.calls import Answer as Answer
from aion.testing.crash.calls import LoggedClient as LoggedClient
from aion.testing.crash.failpoints import ArmedFailpoints as ArmedFailpoints
from aion.testing.crash.ledger import Effect as Effect
from aion.testing.crash.ledger import record_effect as record_effect
from aion.testing.crash.program import Expected as Expected
from aion.testing.crash.program import OneOf as OneOf
from aion.testing.crash.program import Program as Program
from aion.testing.crash.program import main as main
