"""Which data-parallel rank serves an agent: always the same, unless that one is overloaded.

Each rank has a prefix cache of its own.
"""

from __future__ import annotations

from headway.engines.affinity import Affinity


class Ranks(Affinity[int]):
    """The load of each rank, and where the next request of an agent goes.

    A request goes to the first rank in its agent's order that is not clearly more loaded than the
    least loaded one, so also what spills over finds a cache it has filled before.

    Parameters
    ----------
    count : int
        How many ranks.
    slack : int
        A rank is clearly more loaded when it has more than so many requests more than another.

    Attributes
    ----------
    loads : list of int
        The requests that each rank has now.
    spilled : int
        How many requests did not go to their agent's first rank.
    """

    def __init__(self, count: int, slack: int) -> None:
        super().__init__({str(rank): rank for rank in range(count)})
        self.loads = [0] * count
        self.spilled = 0
        self._slack = slack

    def take(self, agent: str) -> int:
        """Choose the rank of one request and count it there; without a name, the least loaded."""
        least = min(self.loads)
        if not agent:
            rank = self.loads.index(least)
        else:
            order = self.order(agent)
            rank = next(rank for rank in order if self.loads[rank] <= least + self._slack)
            self.spilled += rank != order[0]
        self.loads[rank] += 1
        return rank

    def give_back(self, rank: int) -> None:
        """Say that a request has ended."""
        self.loads[rank] -= 1
