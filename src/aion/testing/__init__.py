"""What tests of workflows need: an engine on virtual time, and replay of recorded histories."""

from aion._runtime.views import History as History
from aion.testing.clock import VirtualClock as VirtualClock
from aion.testing.environment import TestEngine as TestEngine
from aion.testing.environment import engine as engine
from aion.testing.replayer import replay as replay
