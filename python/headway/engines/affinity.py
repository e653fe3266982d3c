"""Every agent's own order of the places that can answer it, so that prefix caches are found again.

An agent's prompts begin alike, so who answered it last has that beginning in its cache.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Affinity(Generic[T]):
    """Orders places for agents, by nothing but their names (rendezvous hashing).

    When a place goes only the agents whose first it was move, and they come back with it.

    Parameters
    ----------
    places : mapping
        All places by their names.
    """

    def __init__(self, places: Mapping[str, T]) -> None:
        self._places = places
        self._orders: dict[str, tuple[T, ...]] = {}

    def order(self, agent: str) -> tuple[T, ...]:
        """Return all places in the order of an agent, its home first."""
        order = self._orders.get(agent)
        if order is None:
            names = sorted(self._places, key=lambda name: (_score(agent, name), name))
            order = self._orders[agent] = tuple(self._places[name] for name in names)
        return order


def _score(agent: str, name: str) -> bytes:
    named = f"{agent}\0{name}".encode(errors="surrogatepass")
    return hashlib.blake2b(named, digest_size=8).digest()
