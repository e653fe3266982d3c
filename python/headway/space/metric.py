"""Distance between two places, the same as the scheduler's to the last bit.

The core's metric (`rust/core/src/metric.rs`) is the authority; this copy spares single questions
the way through arrays, and a test holds the two against each other.
"""

from __future__ import annotations

import math

from headway.errors import SpaceError

#: The metrics of tiles and coordinates. Graphs count hops.
METRICS = ("chebyshev", "manhattan", "euclidean")

#: Farthest coordinate from zero, and largest world with joined borders: tiles, coordinates.
GRID_LIMIT = 2**30
PLANE_LIMIT = 1e8

#: On a plane the scheduler takes a move for legal up to this much (as a share) of the speed.
PLANE_SLACK = 1e-7

Point = tuple[float, float]
Wrap = Point | None


def checked(metric: str) -> str:
    """Return the metric if there is one of this name.

    Raises
    ------
    SpaceError
        If there is none.
    """
    if metric not in METRICS:
        raise SpaceError(f"unknown metric {metric!r}; the possible ones are {', '.join(METRICS)}")
    return metric


def norm(metric: str, dx: float, dy: float) -> float:
    """Return the distance that two gaps, one an axis, make."""
    if metric == "chebyshev":
        return max(dx, dy)
    if metric == "manhattan":
        return dx + dy
    # Not hypot: the core takes the root of the rounded sum.
    return math.sqrt(dx * dx + dy * dy)


def plane_distance(metric: str, p: Point, q: Point, wrap: Wrap) -> float:
    """Return the distance of two points; with `wrap` they lie within `0 <= c < wrap`."""
    dx, dy = abs(p[0] - q[0]), abs(p[1] - q[1])
    if wrap is not None:
        dx = min(dx, max(wrap[0] - dx, 0.0))
        dy = min(dy, max(wrap[1] - dy, 0.0))
    return norm(metric, dx, dy)


def grid_distance(metric: str, dx: int, dy: int) -> float:
    """Return the distance of two tiles from the gaps on the axes."""
    distance = norm(metric, float(dx), float(dy))
    if metric == "euclidean" and distance.is_integer() and int(distance) ** 2 < dx * dx + dy * dy:
        # Far away a root just above a whole number rounds to it.
        return math.nextafter(distance, math.inf)
    return distance


def plane_within_speed(distance: float, speed: float) -> bool:
    """Tell whether the scheduler takes a move of this length on a plane for legal."""
    limit = speed * (1 - PLANE_SLACK / 2)
    return distance <= limit + limit * PLANE_SLACK
