"""The versioned world: what everybody may read at the start of every step (DESIGN section 2).

An agent at step t reads snapshot t; effects of step t are part of snapshot t + 1. The store keeps
as many versions as the agent that is farthest behind may still read.
"""

from headway.world.places import Place
from headway.world.store import World
from headway.world.values import freeze, thaw

__all__ = ["Place", "World", "freeze", "thaw"]
