"""Run simulations of thousands of LLM agents out of order, as if in lock-step.

`Simulation` runs your agents; `Scheduler` alone decides, for a loop of your own, which agents may
run their next step while others are still behind. `headway.trace`, `headway.replay` and
`headway.generate` replay recorded and synthetic towns.
"""

from headway import _core, errors
from headway._core import PositionHistory, Scheduler, StoryEntry

#: The version of this package, and of the compiled part it needs.
__version__ = "0.1.0"

if _core.__version__ != __version__:
    raise errors.MissingExtraError(
        f"headway {__version__} found a compiled part of version {_core.__version__}: the "
        f"installation is mixed up; install headway anew"
    )

from headway.live import Action, Agent, OnError, Outcome, Simulation, View
from headway.space import Graph, Grid, Plane
from headway.world import Place

__all__ = [
    "Action",
    "Agent",
    "Graph",
    "Grid",
    "OnError",
    "Outcome",
    "Place",
    "Plane",
    "PositionHistory",
    "Scheduler",
    "Simulation",
    "StoryEntry",
    "View",
    "__version__",
    "errors",
]
