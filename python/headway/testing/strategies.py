"""Hypothesis strategies for worlds, footprints, latencies and orders of execution.

Needs Hypothesis (`pip install "headway[testing]"`). What is drawn shrinks.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from headway.errors import MissingExtraError, OptionError
from headway.space import Graph, Grid, Plane
from headway.testing.order import Order
from headway.testing.worlds import KINDS, RULES, Habits, World, random_space

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtraError(
        'headway.testing.strategies needs Hypothesis: pip install "headway[testing]"'
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.engines.base import Request
    from headway.space import Space

_SECONDS = st.floats(0, 60, allow_nan=False)


def spaces(kinds: Sequence[str] = KINDS, *, side_max: int = 30) -> st.SearchStrategy[Space]:
    """Draw grids, with and without walls and joined borders, planes and graphs.

    `kinds` are some of `headway.testing.worlds.KINDS`; `side_max` is the size, at least 2.
    """
    # Walls and edges by one number: drawn one by one they would take long to shrink.
    drawn = st.builds(
        lambda kind, side, seed: random_space(kind, side, Random(seed)),
        st.sampled_from(list(kinds)),
        st.integers(2, side_max),
        st.integers(0, 2**32),
    )
    return drawn.filter(lambda space: not isinstance(space, Grid) or not space.walls.all())


def positions(space: Space) -> st.SearchStrategy[Any]:
    """Draw places of a space where somebody can stand."""
    if isinstance(space, Graph):
        return st.integers(0, len(space) - 1)
    if isinstance(space, Plane):
        # A plane without borders goes far; what is tested near the middle holds there.
        width, height = space.width or 1000.0, space.height or 1000.0
        return st.tuples(
            st.floats(0, width, exclude_max=True), st.floats(0, height, exclude_max=True)
        )
    assert isinstance(space, Grid)
    tiles = st.tuples(st.integers(0, space.width - 1), st.integers(0, space.height - 1))
    return tiles.filter(space.is_free)


def footprints(
    *, sight_max: int = 5, speed_max: int = 2, whole: bool = True
) -> st.SearchStrategy[dict[str, float]]:
    """Draw a sight, a speed and a reach that is at least the speed, as `Agent` takes them.

    Whole numbers, as grids and graphs need them, or not.
    """

    def upto(most: int) -> st.SearchStrategy[float]:
        return st.integers(0, most) if whole else st.floats(0, most)

    return st.builds(
        lambda sight, speed, more: {"sight": sight, "speed": speed, "reach": speed + more},
        upto(sight_max),
        upto(speed_max),
        upto(2),
    )


def latencies() -> st.SearchStrategy[Callable[[Request], float]]:
    """Draw how long each answer takes, in modelled seconds, for `ScriptedEngine(latency=...)`."""

    def of_seed(seed: int, slow: float) -> Callable[[Request], float]:
        def latency(request: Request) -> float:
            key = f"{seed} {request.agent} {request.step} {request.call} {request.attempt}"
            chance = Random(key)
            return slow if chance.random() < 0.1 else chance.random()

        return latency

    return st.builds(of_seed, st.integers(0, 2**32), _SECONDS)


def orders(agents: Sequence[str] | None = None, *, steps: int = 30) -> st.SearchStrategy[Order]:
    """Draw orders of execution.

    Of named agents the delays are drawn one by one, so that they shrink to the few that matter;
    otherwise an order is drawn by its number.

    Raises
    ------
    OptionError
        If nobody is named, or there are no steps.
    """
    if agents is not None and (not agents or steps < 1):
        raise OptionError(f"orders of {len(agents)} agents and {steps} steps: there are none")
    if agents is None:
        return st.builds(Order, st.integers(0, 2**32))
    moments = st.tuples(
        st.sampled_from(list(agents)),
        st.integers(0, steps - 1),
        st.sampled_from(["start", "end", "answer 0", "answer 1"]),
    )
    late = st.dictionaries(moments, _SECONDS, max_size=20)
    return late.map(lambda delays: Order(delays=delays))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw small worlds in which everything an agent perceives decides what it does next."""
    space = draw(spaces(side_max=20))
    where = positions(space)
    sight, speed = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    reach = speed + draw(st.integers(0, 2))
    own: st.SearchStrategy[dict[str, float]] = st.fixed_dictionaries(
        {"sight": st.integers(0, 5), "reach": st.integers(reach, reach + 2)}
    )
    people = st.tuples(where, st.just({}) | own, st.sampled_from([0, 0, 0, 3, 10]))
    some = draw(st.lists(people, min_size=2, max_size=14))
    habits = draw(
        st.builds(
            Habits,
            talks=st.sampled_from([0, 0.1, 0.3, 0.6]),
            moves=st.sampled_from([0.2, 0.7, 1]),
            says=st.sampled_from([0, 0.3]),
            tells=st.sampled_from([0, 0.5]),
            leaves=st.sampled_from([0, 0, 0.02]),
            spawns=st.sampled_from([0, 0, 0.05]),
            fails=st.sampled_from([0, 0, 0.05]),
            sync_every=st.sampled_from([2, 3, 5]),
        )
    )
    faults = draw(st.sampled_from([0, 0, 0.1]))
    return World(
        space,
        [(f"p{number}", *person) for number, person in enumerate(some)],
        {name: draw(where) for name in RULES},
        (sight, speed, reach),
        habits,
        draw(st.integers(0, 2**16)),
        faults=faults,
        then="skip" if habits.fails or faults else "abort",
    )
