"""Which server answers an agent: always the same one, as long as that one keeps up.

Its home is the first in its order (see `affinity`) that can be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from headway.engines.affinity import Affinity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Target(Protocol):
    """What routing must know of a server."""

    @property
    def url(self) -> str:
        """Its address, by which agents find their order."""

    @property
    def load(self) -> int:
        """How many calls it executes, or has waiting for it."""


T = TypeVar("T", bound=Target)


class Router(Affinity[T]):
    """Chooses servers for agents.

    An agent is sent elsewhere while its home is overloaded: from the moment it has more than
    `spill` calls more than the least loaded server, until it has no more than half of that more.
    Then the agent's next server that is not itself overloaded answers, which is mostly the same
    one for some time.

    Parameters
    ----------
    targets : iterable
        All servers.
    spill : int
        The difference of loads from which on a home is overloaded.
    """

    def __init__(self, targets: Iterable[T], spill: int) -> None:
        super().__init__({target.url: target for target in targets})
        self._spill = spill
        self._overloaded: set[str] = set()

    def pick(self, agent: str, usable: Callable[[T], bool]) -> tuple[T, bool] | None:
        """Choose a server.

        Returns
        -------
        (server, bool) or None
            The server, and whether it stands in for an overloaded one; None if none is usable.
        """
        order = [target for target in self.order(agent) if usable(target)]
        if not order:
            return None
        home = order[0]
        least = min(target.load for target in order)
        if home.load - least > self._spill:
            self._overloaded.add(home.url)
        elif home.load - least <= self._spill // 2:
            self._overloaded.discard(home.url)
        if home.url not in self._overloaded:
            return home, False
        # There is one: the least loaded.
        return next(t for t in order if t.load - least <= self._spill // 2), True
