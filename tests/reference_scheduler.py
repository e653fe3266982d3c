"""Both rules of `headway.Scheduler` written out over all pairs, in whole numbers.

Slow and short: nothing is stored but positions, clocks and who is running; every answer is worked
out from these. Independent of the core: all lengths are whole numbers of some unit, so that every
comparison is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ReferenceAgent:
    """An agent; `position`, `sight`, `speed` and `reach` are whole numbers."""

    position: tuple[int, int]
    sight: int
    speed: int
    reach: int
    world: int = 0
    clock: int = 0
    running: bool = False
    present: bool = True


@dataclass
class ReferenceScheduler:
    """The rules; `rule` and `metric` are named as in the core, `wrap` is a size or None."""

    rule: str
    metric: str
    wrap: tuple[int, int] | None
    agents: list[ReferenceAgent]
    widest: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        # The compatibility rule uses the largest sight, speed and reach of the first agents.
        self.widest = tuple(
            max((getattr(agent, what) for agent in self.agents), default=0)
            for what in ("sight", "speed", "reach")
        )

    def within(self, p: tuple[int, int], q: tuple[int, int], bound: int) -> bool:
        """Whether two places are at most `bound` apart."""
        gaps = [abs(x - y) for x, y in zip(p, q, strict=True)]
        if self.wrap is not None:
            gaps = [min(gap, size - gap) for gap, size in zip(gaps, self.wrap, strict=True)]
        if self.metric == "chebyshev":
            return max(gaps) <= bound
        if self.metric == "manhattan":
            return sum(gaps) <= bound
        return gaps[0] ** 2 + gaps[1] ** 2 <= bound**2

    def bound(self, a: int, b: int) -> int:
        """Distance up to which B, which is behind, blocks A."""
        ahead, behind = self.agents[a], self.agents[b]
        lag = ahead.clock - behind.clock
        if self.rule == "conservative":
            return max(ahead.sight, ahead.speed) + behind.reach + (lag - 1) * behind.speed
        sight, speed, reach = self.widest
        return max(sight, reach) + reach + lag * speed

    def blocks(self, a: int, b: int) -> bool:
        """Whether B blocks A."""
        ahead, behind = self.agents[a], self.agents[b]
        return (
            behind.present
            and behind.world == ahead.world
            and behind.clock < ahead.clock
            and self.within(ahead.position, behind.position, self.bound(a, b))
        )

    def blockers(self, a: int) -> list[int]:
        """Everybody who blocks A."""
        return [b for b in range(len(self.agents)) if self.blocks(a, b)]

    def coupled(self, a: int, b: int) -> bool:
        """Whether two agents must advance together."""
        one, other = self.agents[a], self.agents[b]
        sight, _, reach = self.widest
        return (
            one.present
            and other.present
            and one.world == other.world
            and one.clock == other.clock
            and self.within(one.position, other.position, max(sight, reach) + reach)
        )

    def cluster(self, a: int) -> list[int]:
        """The connected group of coupled agents around A, blocked or not."""
        if self.rule == "conservative" or not self.agents[a].present:
            return [a]
        members = [a]
        for member in members:  # grows while it is walked through
            members += [
                b for b in range(len(self.agents)) if b not in members and self.coupled(member, b)
            ]
        return sorted(members)

    def status(self, a: int) -> str:
        """What A is doing, in the words of `Scheduler.status`."""
        agent = self.agents[a]
        if not agent.present:
            return "left"
        if agent.running:
            return "running"
        if self.blockers(a):
            return "blocked"
        others = self.cluster(a)
        free = all(not self.agents[b].running and not self.blockers(b) for b in others)
        return "ready" if free else "held"

    def ready(self) -> list[int]:
        """Everybody who may start, by id."""
        return [a for a in range(len(self.agents)) if self.status(a) == "ready"]

    def frontier(self) -> int | None:
        """The smallest clock of the agents present, if any are."""
        return min((agent.clock for agent in self.agents if agent.present), default=None)
