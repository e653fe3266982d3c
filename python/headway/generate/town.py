"""The map of a synthetic town: a regular grid of streets and one-room buildings.

The grid is regular on purpose. A walk is then a handful of straight legs that can be written down
without a search, so the positions of many thousand agents are a few array operations, and a map of
any size is the same pattern repeated.

One district is 140 x 100 tiles and holds 10 x 8 plots. Along every street (`STREET_Y` within each
25 rows) stand plots on both sides, their doors opposite each other; between two neighbouring plots
an alley crosses the whole map. A room measures 9 x 8 tiles, so two agents inside one room are never
more than 8 tiles apart, which is the distance within which recorded conversations start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Size of one district in tiles, and how many plots it holds in each direction.
DISTRICT_WIDTH, DISTRICT_HEIGHT = 140, 100
PLOT_COLUMNS, PLOT_ROWS = 10, 8
#: Size of one plot in x, and of a street with the plots on both of its sides in y.
PLOT_WIDTH, BAND_HEIGHT = 14, 25
#: Size of a room, and where it begins within its plot and band.
ROOM_WIDTH, ROOM_HEIGHT = 9, 8
ROOM_X, UPPER_Y, LOWER_Y = 3, 2, 15
#: Where the doors and the middle of the street are within a plot and a band.
DOOR_X, STREET_Y = 7, 12
#: The longest walk between two spots of one room, and from any spot to the street.
WALK_IN_ROOM = ROOM_WIDTH + ROOM_HEIGHT - 2
WALK_TO_STREET = 14
#: Corners of a walk, the two ends included.
CORNERS = 8


def _plots(rows: tuple[int, ...], columns: range) -> NDArray[np.int32]:
    """Return the numbers of the given plots of one district, row by row."""
    return np.array([row * PLOT_COLUMNS + column for row in rows for column in columns], np.int32)


#: What stands where in every district: the second street is the high street.
WORKPLACES = np.concatenate([_plots((2,), range(1, 9)), _plots((3,), range(5, 9))])
CAFES = _plots((3,), range(1, 3))
PUBS = _plots((3,), range(3, 4))
SHOPS = _plots((3,), range(4, 5))
PARKS = _plots((4,), range(3, 7))
HOUSES = np.concatenate(
    [
        _plots((1,), range(1, 9)),
        _plots((7,), range(1, 9)),
        _plots((5, 0, 6), range(10)),
        _plots((4,), range(3)),
        _plots((4,), range(7, 10)),
        np.array([70, 79], np.int32),
        np.array([10, 19, 20, 29, 30, 39], np.int32),
    ]
)


@dataclass(frozen=True)
class Town:
    """A map of `across` x `down` districts; room `r` is plot `r` of the whole map, row by row."""

    across: int = 1
    down: int = 1

    @staticmethod
    def of_districts(districts: int) -> Town:
        """Lay out that many districts (or a few more) as nearly square as they go."""
        across = math.ceil(math.sqrt(districts * DISTRICT_HEIGHT / DISTRICT_WIDTH))
        return Town(across, -(-districts // across))

    @property
    def width(self) -> int:
        """Number of tiles in x."""
        return self.across * DISTRICT_WIDTH

    @property
    def height(self) -> int:
        """Number of tiles in y."""
        return self.down * DISTRICT_HEIGHT

    def room(self, district: NDArray[Any], plot: NDArray[Any]) -> NDArray[np.int32]:
        """Return the numbers of the rooms on given plots of given districts."""
        row = district // self.across * PLOT_ROWS + plot // PLOT_COLUMNS
        column = district % self.across * PLOT_COLUMNS + plot % PLOT_COLUMNS
        return np.asarray(row * (self.across * PLOT_COLUMNS) + column, np.int32)

    def beside(self, district: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
        """Return the districts that lie `shift` to the right, or themselves beyond the border."""
        column = district % self.across + shift
        inside = (column >= 0) & (column < self.across)
        return np.where(inside, district + shift, district)

    def corner(self, room: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return x and y of the upper left tile inside each room."""
        row, column = np.divmod(room, self.across * PLOT_COLUMNS)
        y = row // 2 * BAND_HEIGHT + np.where(row % 2 == 0, UPPER_Y, LOWER_Y)
        return (column * PLOT_WIDTH + ROOM_X).astype(np.int32), y.astype(np.int32)

    def door(self, room: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return x of each room's door and y of the middle of the street before it."""
        row, column = np.divmod(room, self.across * PLOT_COLUMNS)
        x = column * PLOT_WIDTH + DOOR_X
        return x.astype(np.int32), (row // 2 * BAND_HEIGHT + STREET_Y).astype(np.int32)

    def longest_walk(self, origin: NDArray[Any], goal: NDArray[Any]) -> NDArray[np.int32]:
        """Bound the tiles of a walk from any spot of room `origin` to any spot of room `goal`."""
        (x0, y0), (x1, y1) = self.door(origin), self.door(goal)
        along = np.abs(x1 - x0) + np.abs(y1 - y0)
        detour = np.where((x0 == x1) & (y0 != y1), 2 * DOOR_X, 0)
        outside = along + detour + 2 * WALK_TO_STREET
        return np.where(origin == goal, WALK_IN_ROOM, outside).astype(np.int32)

    def route(
        self,
        origin: NDArray[Any],
        spot: NDArray[np.int32],
        goal: NDArray[Any],
        goal_spot: NDArray[np.int32],
    ) -> NDArray[np.int32]:
        """Return the corners (k, `CORNERS`, 2) of walks between spots of rooms.

        Every leg is parallel to an axis. Out of a room the walk goes to the column of its door,
        through the door, along the street, through an alley that lies on the way, and back in.
        """
        corners = np.repeat(goal_spot[:, None, :], CORNERS, axis=1)
        corners[:, 0] = spot
        corners[:, 1, 1] = spot[:, 1]  # inside one room: first along x, then along y
        out = np.flatnonzero(origin != goal)
        (x0, y0), (x1, y1) = self.door(origin[out]), self.door(goal[out])
        # The alley left of the right-hand plot lies between both doors, unless they share x.
        alley = np.where(y0 == y1, x1, np.maximum(x0, x1) - DOOR_X)
        corners[out, 1, 0] = x0
        corners[out, 2] = np.stack([x0, y0], axis=1)
        corners[out, 3] = np.stack([alley, y0], axis=1)
        corners[out, 4] = np.stack([alley, y1], axis=1)
        corners[out, 5] = np.stack([x1, y1], axis=1)
        corners[out, 6, 0] = x1
        return corners

    def walkable(self) -> NDArray[np.bool_]:
        """Return a mask (height, width): False on walls, True on every tile agents may stand on."""
        district = np.ones((DISTRICT_HEIGHT, DISTRICT_WIDTH), bool)
        for plot in range(PLOT_ROWS * PLOT_COLUMNS):
            if plot in PARKS:
                continue
            row, column = divmod(plot, PLOT_COLUMNS)
            upper = row % 2 == 0
            top = row // 2 * BAND_HEIGHT + (UPPER_Y if upper else LOWER_Y) - 1
            left = column * PLOT_WIDTH + ROOM_X - 1
            bottom, right = top + ROOM_HEIGHT + 1, left + ROOM_WIDTH + 1
            district[top : bottom + 1, [left, right]] = False
            district[[top, bottom], left : right + 1] = False
            district[bottom if upper else top, column * PLOT_WIDTH + DOOR_X] = True
        return np.tile(district, (self.down, self.across))
