"""A plane of real coordinates without obstacles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from headway.errors import SpaceError
from headway.space.base import Space, shown
from headway.space.metric import PLANE_LIMIT, checked, plane_distance, plane_within_speed

if TYPE_CHECKING:
    from headway.space.base import Position

Point = tuple[float, float]

#: Steps aim this much (as a share) below the speed: well within what the scheduler allows.
AIM = 1 - 1e-9

#: Most steps `path` returns.
PATH_LIMIT = 1_000_000


class Plane(Space):
    """Points (x, y), free everywhere.

    Parameters
    ----------
    width, height : float, optional
        Points are then within 0..width and 0..height; without, anywhere within +-1e8.
    wrap : bool
        Whether the borders are joined; points are then below width and height.
    metric : {"euclidean", "chebyshev", "manhattan"}
        The distance perception and moves are limited by.

    Raises
    ------
    SpaceError
        For values that cannot be used.
    """

    def __init__(
        self,
        width: float | None = None,
        height: float | None = None,
        *,
        wrap: bool = False,
        metric: str = "euclidean",
    ) -> None:
        self.metric = checked(metric)
        self.width, self.height = _size(width, "width"), _size(height, "height")
        if self.width is None or self.height is None:
            if self.width is not self.height:
                raise SpaceError("give a plane both width and height, or none of them")
            if wrap:
                raise SpaceError("wrap=True needs the width and height of the world")
            self.wrap = None
        else:
            self.wrap = (self.width, self.height) if wrap else None

    def __repr__(self) -> str:
        size = "unbounded" if self.width is None else f"{self.width} x {self.height}"
        return f"<Plane {size}, {self.metric}{', wrap' * (self.wrap is not None)}>"

    def scheduler_options(self) -> dict[str, Any]:
        """Return the keyword arguments that tell the scheduler about this space."""
        return {"metric": self.metric, "wrap": self.wrap}

    def check(self, position: object, *, what: str = "position") -> Point:
        """Return a point as (float, float); see `Space.check`."""
        try:
            x, y = cast("Point", position)
        except (TypeError, ValueError) as error:
            raise _no_point(what, position) from error
        x, y = _real(x, what, position), _real(y, what, position)
        if self.wrap is not None:
            return _round_the_world(x, self.wrap[0]), _round_the_world(y, self.wrap[1])
        if self.width is None or self.height is None:
            if abs(x) > PLANE_LIMIT or abs(y) > PLANE_LIMIT:
                raise SpaceError(f"{what} ({x}, {y}) is farther than {PLANE_LIMIT:g} from zero")
        elif not (0 <= x <= self.width and 0 <= y <= self.height):
            raise SpaceError(
                f"{what} ({x}, {y}) is outside the plane, which has x 0..{self.width} and "
                f"y 0..{self.height}"
            )
        return x, y

    def distance(self, p: Position, q: Position) -> float:
        """Return the distance of two points, exactly as the scheduler measures it."""
        return plane_distance(self.metric, self.check(p), self.check(q), self.wrap)

    def check_move(self, start: Position, end: Position, speed: float) -> None:
        """Refuse a move out of the plane or longer than the scheduler allows; see `Space`."""
        here, there = self.check(start, what="start"), self.check(end, what="end")
        distance = plane_distance(self.metric, here, there, self.wrap)
        if not plane_within_speed(distance, _speed(speed)):
            raise SpaceError(
                f"the move from {here} to {there} is {distance} long; the speed is {speed}"
            )

    def toward(self, start: Position, goal: Position, speed: float = 1) -> Point:
        """Return the point `speed` along the straight line, or `goal` if that is nearer.

        With joined borders the line goes the shorter way round, of two equal ones with growing
        coordinates. The step falls short of `speed` by a billionth, so that rounding does not make
        it too long for the scheduler. It stays at `start` only where the coordinates are too large
        to tell the two points apart.

        Raises
        ------
        SpaceError
            If one of them is not a point of the plane, or the speed is not a number from 0 on.
        """
        here, there = self.check(start, what="start"), self.check(goal, what="goal")
        return self._toward(here, there, _speed(speed))

    def _toward(self, here: Point, there: Point, speed: float) -> Point:
        distance = plane_distance(self.metric, here, there, self.wrap)
        if distance <= speed:
            return there
        share = speed / distance * AIM
        # Rounding may still lengthen the step where coordinates are large and the step is small.
        while share > 0:
            point = self._along(here, there, share)
            moved = plane_distance(self.metric, here, point, self.wrap)
            if plane_within_speed(moved, speed):
                return point
            share = share / 2 if share > 1e-300 else 0.0
        return here

    def _along(self, here: Point, there: Point, share: float) -> Point:
        if self.wrap is None:
            x, y = (a + (b - a) * share for a, b in zip(here, there, strict=True))
            return x, y
        x, y = (
            _round_the_world(a + _shorter(b - a, size) * share, size)
            for a, b, size in zip(here, there, self.wrap, strict=True)
        )
        return x, y

    def path(self, start: Position, goal: Position, speed: float = 1) -> list[Point]:
        """Return where the steps of the straight way end, without `start`.

        Raises
        ------
        SpaceError
            If one of them is not a point of the plane, the speed is not above 0, or there are more
            than a million steps.
        """
        here, there = self.check(start, what="start"), self.check(goal, what="goal")
        if _speed(speed) == 0:
            raise SpaceError("a path needs a speed above 0")
        way: list[Point] = []
        fits = plane_distance(self.metric, here, there, self.wrap) <= speed * PATH_LIMIT
        while here != there:
            onward = self._toward(here, there, speed) if fits else here
            if onward == here or len(way) >= PATH_LIMIT:
                raise SpaceError(
                    f"the way from {start} to {goal} has more than {PATH_LIMIT} steps of {speed}: "
                    f"give a larger speed, or ask for one step at a time with toward()"
                )
            way.append(onward)
            here = onward
        return way


def _shorter(way: float, size: float) -> float:
    if way > size / 2:
        return way - size
    return way + size if way <= -size / 2 else way


def _round_the_world(x: float, size: float) -> float:
    x %= size
    # The remainder of a tiny negative number rounds to the size itself.
    return x if x < size else 0.0


def _size(value: object, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SpaceError(f"{what} must be a number, got {value!r}")
    if not 0 < value <= PLANE_LIMIT:
        raise SpaceError(f"{what} must be above 0 and at most {PLANE_LIMIT:g}, got {value}")
    return float(value)


def _real(value: object, what: str, position: object) -> float:
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise _no_point(what, position)
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    if not math.isfinite(value):
        raise SpaceError(f"{what} {shown(position)} is not finite")
    return value


def _no_point(what: str, given: object) -> SpaceError:
    return SpaceError(f"{what} must be a point (x, y) of two numbers, got {shown(given)}")


def _speed(value: object) -> float:
    if isinstance(value, int | float | np.integer | np.floating) and 0 <= value < math.inf:
        return float(value)
    raise SpaceError(f"speed must be a number from 0 on, got {value!r}")
