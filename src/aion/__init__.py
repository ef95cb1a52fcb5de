"""Aion: durable workflows for Python. Write plain asyncio; Aion makes it survive.

Public names only; each is documented where it is defined.
"""

from aion._flow import guards as _guards

# First of all: names that users import from asyncio, time or random after this line are the dispatching ones.
_guards.install()

import aion.errors as errors  # noqa: E402, F401
import aion.testing as testing  # noqa: E402, F401
from aion._compose import Engine as Engine  # noqa: E402
from aion._compose import run as run  # noqa: E402
from aion._core.duration import Duration as Duration  # noqa: E402
from aion._core.limits import Limits as Limits  # noqa: E402
from aion._flow.activity_context import activity_info as activity_info  # noqa: E402
from aion._flow.api import info as info  # noqa: E402
from aion._flow.api import logger as logger  # noqa: E402
from aion._flow.api import now as now  # noqa: E402
from aion._flow.api import patched as patched  # noqa: E402
from aion._flow.api import race as race  # noqa: E402
from aion._flow.api import random as random  # noqa: E402
from aion._flow.api import side_effect as side_effect  # noqa: E402
from aion._flow.api import sleep as sleep  # noqa: E402
from aion._flow.api import uuid4 as uuid4  # noqa: E402
from aion._flow.api import wait_until as wait_until  # noqa: E402
from aion._flow.definitions import Activity as Activity  # noqa: E402
from aion._flow.definitions import ActivityCall as ActivityCall  # noqa: E402
from aion._flow.definitions import Retry as Retry  # noqa: E402
from aion._flow.definitions import Workflow as Workflow  # noqa: E402
from aion._flow.definitions import WorkflowCall as WorkflowCall  # noqa: E402
from aion._flow.definitions import activity as activity  # noqa: E402
from aion._flow.definitions import workflow as workflow  # noqa: E402
from aion._flow.messages import Query as Query  # noqa: E402
from aion._flow.messages import Signal as Signal  # noqa: E402
from aion._runtime.handle import WorkflowHandle as WorkflowHandle  # noqa: E402
from aion.errors import *  # noqa: E402, F403
