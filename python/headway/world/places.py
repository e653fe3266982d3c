"""Places with state: a stove in use, an apple taken, a notice on a board.

Several agents may write one place in one step. All writes of a step are applied together, in the
order of agents (DESIGN section 2), by the place's *rule*; those of a step at which somebody behind
has yet to write are applied again when it has. So the state never depends on who was faster.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.errors import OptionError, PlaceRuleError
from headway.world.values import freeze

if TYPE_CHECKING:
    from collections.abc import Callable

    #: How a place takes the writes of one step: (state before, ((agent, value), ...)) -> state.
    #: Writes are in the order of agents. Must depend on nothing else.
    Rule = Callable[[Any, tuple[tuple[str, Any], ...]], Any]


def _last(_: Any, writes: tuple[tuple[str, Any], ...]) -> Any:  # noqa: ANN401
    return writes[-1][1]


def _first(_: Any, writes: tuple[tuple[str, Any], ...]) -> Any:  # noqa: ANN401
    return writes[0][1]


def _claim(holder: Any, writes: tuple[tuple[str, Any], ...]) -> Any:  # noqa: ANN401
    for agent, value in writes:
        if holder is None and value:
            holder = agent
        elif holder == agent and not value:
            holder = None
    return holder


#: `last`: the last writer of a step wins. `first`: the first one does. `claim`: the state is the
#: name of who holds the place, or None; writing a true value takes it if it is free, writing None
#: or False gives it back if one holds it; whoever comes second must try again.
RULES: dict[str, Rule] = {"last": _last, "first": _first, "claim": _claim}


@dataclass(frozen=True)
class Place:
    """Something in the world that has a position and a state but does not act.

    Attributes
    ----------
    name : str
        Unique among the places.
    position
        Where it is, as the space has it. It is seen from within sight and written from within
        reach of there.
    state : plain value
        Its state in snapshot 0.
    rule : {"last", "first", "claim"} or callable
        What happens when several agents write it in one step; see `headway.world.places.RULES`. A
        callable gets the state before and a tuple of (agent's name, value) in the order of agents,
        and returns the new state.
    """

    name: str
    position: Any
    state: Any = None
    rule: str | Rule = "last"


class Versions:
    """The states of one place at all steps somebody may still read."""

    __slots__ = ("_cache", "_settled", "_writes", "name", "rule")

    def __init__(self, place: Place) -> None:
        self.name = place.name
        if isinstance(place.rule, str):
            if place.rule not in RULES:
                raise OptionError(
                    f"place {place.name!r}: no rule {place.rule!r}; there are "
                    f"{', '.join(RULES)}, or give a function"
                )
            self.rule = RULES[place.rule]
        else:
            self.rule = place.rule
        # The state behind the frontier, and the writes since: (step, rank of the agent, its name,
        # value), sorted.
        self._settled = freeze(place.state, f"the state of place {place.name!r}")
        self._writes: list[tuple[int, tuple[int, ...], str, Any]] = []
        self._cache: dict[int, Any] = {}

    def write(
        self,
        step: int,
        rank: tuple[int, ...],
        agent: str,
        value: Any,  # noqa: ANN401
    ) -> None:
        """Take a write of a step; it may come after writes of later steps."""
        insort(self._writes, (step, rank, agent, value), key=lambda write: write[:2])
        for known in [known for known in self._cache if known > step]:
            del self._cache[known]

    def state(self, step: int) -> Any:  # noqa: ANN401 - any plain value
        """Return the state at the start of a step."""
        if not self._writes:
            return self._settled
        if step not in self._cache:
            self._cache[step] = self._after(step)[0]
        return self._cache[step]

    def forget(self, step: int) -> bool:
        """Forget what nobody at this step or later will read; return whether nothing is left."""
        if self._writes and self._writes[0][0] < step:
            self._settled, applied = self._after(step)
            del self._writes[:applied]
        self._cache = {known: state for known, state in self._cache.items() if known >= step}
        return not self._writes

    def _applied(
        self,
        state: Any,  # noqa: ANN401
        step: int,
        writes: tuple[tuple[str, Any], ...],
    ) -> Any:  # noqa: ANN401
        try:
            return freeze(self.rule(state, writes), f"what the rule of {self.name!r} returns")
        except Exception as error:
            raise PlaceRuleError(
                f"the rule of place {self.name!r} failed for the writes of step {step}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _after(self, step: int) -> tuple[Any, int]:
        """Apply the writes of the steps before this one; return the state and their number."""
        state, at, writes = self._settled, 0, self._writes
        while at < len(writes) and writes[at][0] < step:
            end = at
            while end < len(writes) and writes[end][0] == writes[at][0]:
                end += 1
            together = tuple((agent, value) for _, _, agent, value in writes[at:end])
            state = self._applied(state, writes[at][0], together)
            at = end
        return state, at
