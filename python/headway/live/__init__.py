"""Live simulations: agents, what they see and do, and the driver that runs them out of order."""

from headway.live.agent import Action, Agent
from headway.live.outcome import Outcome
from headway.live.policy import OnError
from headway.live.simulation import Simulation
from headway.live.view import Neighbour, PlaceView, View

__all__ = [
    "Action",
    "Agent",
    "Neighbour",
    "OnError",
    "Outcome",
    "PlaceView",
    "Simulation",
    "View",
]
