"""Proving it of worlds of your own: the result is what lock-step would have given.

`assert_same_as_lockstep` runs a simulation in many orders and compares; `ScriptedEngine` and
`VirtualClock` stand in for models and for time; `random_simulation` draws worlds that notice any
wrong read; `headway.testing.strategies` has Hypothesis strategies, and
`headway.testing.pytest_plugin` validates every scheduler after every test.
"""

from headway.engines.clock import VirtualClock
from headway.engines.scripted import ScriptedEngine, random_latency, scripted_answer
from headway.testing.case import Case
from headway.testing.difference import Difference
from headway.testing.lockstep import (
    NobodyOvertookError,
    NotAsLockstepError,
    Proof,
    assert_same_as_lockstep,
)
from headway.testing.order import Order, OrderedEngine
from headway.testing.running import Setup
from headway.testing.worlds import World, random_setup, random_simulation, random_world

__all__ = [
    "Case",
    "Difference",
    "NobodyOvertookError",
    "NotAsLockstepError",
    "Order",
    "OrderedEngine",
    "Proof",
    "ScriptedEngine",
    "Setup",
    "VirtualClock",
    "World",
    "assert_same_as_lockstep",
    "random_latency",
    "random_setup",
    "random_simulation",
    "random_world",
    "scripted_answer",
]
