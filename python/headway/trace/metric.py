"""Distance between places, the same as the scheduler's, for whole columns at once.

The core's metric (`rust/core/src/metric.rs`) is the authority; this copy exists so that traces
can be examined without the scheduler, and a test holds the two against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: The metrics a trace may name.
METRICS = ("chebyshev", "manhattan", "euclidean")

#: Farthest coordinate from zero, and largest world with joined borders: integers, real numbers.
GRID_LIMIT = 2**30
PLANE_LIMIT = 1e8

#: On a plane, places this little beyond a bound (as a share of it) count as within it, so that
#: an agent that walks at full speed is not blamed for the rounding of its coordinates.
PLANE_SLACK = 1e-7


def offset(p: ArrayLike, q: ArrayLike, wrap: tuple[float, float] | None) -> NDArray[np.float64]:
    """Return the shortest way from `p` to `q`, axis by axis.

    Parameters
    ----------
    p, q : array_like (..., 2)
        Places; with `wrap`, each coordinate lies in `0 <= c < wrap`. They broadcast.
    wrap : (float, float) or None
        Size of the world where its borders are joined. Of two ways of equal length round it,
        the one with growing coordinates is taken.

    Returns
    -------
    float64 (..., 2)
        `q - p`; exact for whole numbers below 2**53.
    """
    way = np.asarray(q, np.float64) - np.asarray(p, np.float64)
    if wrap is None:
        return way
    size = np.asarray(wrap, np.float64)
    way = np.where(way > size / 2, way - size, way)
    return np.where(way <= -size / 2, way + size, way)


def length(way: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Measure offsets (..., 2) in the given metric.

    Raises
    ------
    TraceError
        Where the metric is not one of `METRICS`.
    """
    along = np.abs(way)
    if metric == "chebyshev":
        return np.maximum(along[..., 0], along[..., 1])
    if metric == "manhattan":
        return np.asarray(along[..., 0] + along[..., 1])
    if metric == "euclidean":
        # Not hypot: the root of a sum of squares is exact to the last bit for grid positions.
        return np.asarray(np.sqrt(along[..., 0] ** 2 + along[..., 1] ** 2))
    raise TraceError(f"unknown metric {metric!r}; the known ones are {', '.join(METRICS)}")


def distance(
    p: ArrayLike, q: ArrayLike, metric: str, wrap: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Return the distance of places `p` and `q` of one world.

    Parameters
    ----------
    p, q : array_like (..., 2)
        Places in the unit of the trace; they broadcast.
    metric : str
        One of `METRICS`.
    wrap : (float, float) or None
        Size of the world where its borders are joined.

    Returns
    -------
    float64 (...)

    Raises
    ------
    TraceError
        Where the metric is not one of `METRICS`.
    """
    return length(offset(p, q, wrap), metric)


def within(
    p: NDArray[Any],
    q: NDArray[Any],
    bound: float,
    metric: str,
    wrap: tuple[float, float] | None = None,
) -> NDArray[np.bool_]:
    """Tell whether places are at most `bound` apart: exactly on a grid, leaning to yes on a plane.

    Parameters
    ----------
    p, q : (..., 2)
        Places, whole numbers on a grid, else real ones; they broadcast.
    bound : float
        A distance of at least 0.
    metric, wrap
        As for `distance`.

    Returns
    -------
    bool (...)
    """
    slack = 0.0 if np.issubdtype(p.dtype, np.integer) else PLANE_SLACK
    return np.asarray(distance(p, q, metric, wrap) <= bound + bound * slack)


def within_speed(
    p: NDArray[Any],
    q: NDArray[Any],
    speed: float,
    metric: str,
    wrap: tuple[float, float] | None = None,
) -> NDArray[np.bool_]:
    """Tell whether moves are at most `speed` long, as the scheduler judges them.

    On a plane only half of the slack is for moves; the other half outweighs their rounding.
    Parameters and result are those of `within`.
    """
    return within(
        p, q, speed * (1 - PLANE_SLACK / 2) if p.dtype.kind == "f" else speed, metric, wrap
    )


def moved(positions: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell in which steps each agent changed its place.

    Parameters
    ----------
    positions : (n_steps + 1, n_agents, 2)
        Places at the start of each step, and after the last one.

    Returns
    -------
    bool (n_steps, n_agents)
    """
    changed: NDArray[np.bool_] = positions[1:, :, 0] != positions[:-1, :, 0]
    changed |= positions[1:, :, 1] != positions[:-1, :, 1]
    return changed
