"""Aion: durable workflows for Python. Write plain asyncio; Aion makes it survive.

Public names only; each is documented where it is defined.
"""

from aion._flow import guards as _guards

# First of all: names that users import from asyncio, time or random after this line are the dispatching ones.
_guards.install()

from aion import errors as errors
from aion import testing as testing
from aion._compose import Engine as Engine
from aion._compose import run as run
from aion._core.duration import Duration as Duration
from aion._core.limits import Limits as Limits
from aion._flow.activity_context import activity_info as activity_info
from aion._flow.api import info as info
from aion._flow.api import logger as logger
from aion._flow.api import now as now
from aion._flow.api import patched as patched
from aion._flow.api import race as race
from aion._flow.api import random as random
from aion._flow.api import side_effect as side_effect
from aion._flow.api import sleep as sleep
from aion._flow.api import uuid4 as uuid4
from aion._flow.api import wait_until as wait_until
from aion._flow.definitions import Activity as Activity
from aion._flow.definitions import ActivityCall as ActivityCall
from aion._flow.definitions import Retry as Retry
from aion._flow.definitions import Workflow as Workflow
from aion._flow.definitions import WorkflowCall as WorkflowCall
from aion._flow.definitions import activity as activity
from aion._flow.definitions import workflow as workflow
from aion._flow.messages import Query as Query
from aion._flow.messages import Signal as Signal
from aion._runtime.handle import WorkflowHandle as WorkflowHandle
from aion.errors import *
