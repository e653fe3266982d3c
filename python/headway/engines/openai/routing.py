"""Which server answers an agent: always the same one, as long as that one keeps up.

An agent's prompts begin alike, so the server that answered it last has that beginning in its prefix
cache. Every agent has an order of the servers of its own (rendezvous hashing): its home is the
first that can be used, and when one fails only its own agents move, and come back with it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

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


class Router(Generic[T]):
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
        self._targets = tuple(targets)
        self._spill = spill
        self._orders: dict[str, tuple[T, ...]] = {}
        self._overloaded: set[str] = set()

    def order(self, agent: str) -> tuple[T, ...]:
        """Return all servers in the order of an agent."""
        order = self._orders.get(agent)
        if order is None:
            ranked = sorted(self._targets, key=lambda t: (_score(agent, t.url), t.url))
            order = self._orders[agent] = tuple(ranked)
        return order

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


def _score(agent: str, url: str) -> bytes:
    named = f"{agent}\0{url}".encode(errors="surrogatepass")
    return hashlib.blake2b(named, digest_size=8).digest()
