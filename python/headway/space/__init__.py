"""The static geometry of a simulation: grids with walls and areas, planes, graphs, map files.

A space never changes, so all agents share one. What agents perceive is limited by its metric,
which the scheduler uses too: hand it `space.scheduler_options()`.
"""

from headway.space.base import Area, Position, Space
from headway.space.graph import Graph
from headway.space.grid import Grid
from headway.space.maps import read_map, read_tiled, read_ville
from headway.space.plane import Plane

__all__ = [
    "Area",
    "Graph",
    "Grid",
    "Plane",
    "Position",
    "Space",
    "read_map",
    "read_tiled",
    "read_ville",
]
