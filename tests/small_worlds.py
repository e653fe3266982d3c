"""Two small worlds whose agents depend on all they perceive, and lock-step runs of them.

Agents perceive others, cells and messages within sight, write a cell and send a message within
reach, and move within speed. What they do is a hash of all they perceive, so that one wrong read
changes the rest of the run. Who reads when is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

Place = tuple[int, int]


@dataclass(frozen=True)
class Footprint:
    sight: int
    speed: int
    reach: int

    @staticmethod
    def drawn(random: Random) -> Footprint:
        speed = random.randint(0, 2)
        return Footprint(random.randint(0, 4), speed, speed + random.randint(0, 2))


@dataclass(frozen=True)
class State:
    """An agent at the start of a step."""

    place: Place
    value: int


@dataclass(frozen=True)
class Effects:
    """What a step does; it takes effect at the start of the next one."""

    state: State
    cell: Place
    message_to: int | None


@dataclass
class Setting:
    """Footprints and first states of a run of `steps` steps, all from one seed."""

    seed: int
    metric: str
    wrap: int | None
    footprints: list[Footprint]
    starts: list[State]
    steps: int = 10

    @staticmethod
    def drawn(seed: int, *, uniform: bool = False, agents: int = 6) -> Setting:
        random = Random(seed)
        size = random.randint(7, 22)
        common = Footprint.drawn(random)
        return Setting(
            seed=seed,
            metric=random.choice(["chebyshev", "manhattan", "euclidean"]),
            wrap=random.choice([None, None, size]),
            footprints=[common if uniform else Footprint.drawn(random) for _ in range(agents)],
            starts=[
                State((random.randrange(size), random.randrange(size)), i) for i in range(agents)
            ],
        )

    def near(self, p: Place, q: Place, bound: int) -> bool:
        """Whether two places are at most `bound` apart."""
        dx, dy = abs(p[0] - q[0]), abs(p[1] - q[1])
        if self.wrap is not None:
            dx, dy = min(dx, self.wrap - dx), min(dy, self.wrap - dy)
        if self.metric == "chebyshev":
            return max(dx, dy) <= bound
        if self.metric == "manhattan":
            return dx + dy <= bound
        return dx * dx + dy * dy <= bound * bound

    def place_near(self, p: Place, radius: int, chance: int) -> Place:
        """Return some place at most `radius` from `p`, chosen by `chance`."""
        for _ in range(4):
            chance = hash((chance, 11))
            way = (chance % (2 * radius + 1) - radius, chance // 97 % (2 * radius + 1) - radius)
            q = (p[0] + way[0], p[1] + way[1])
            if self.wrap is not None:
                q = (q[0] % self.wrap, q[1] % self.wrap)
            if self.near(p, q, radius):
                return q
        return p

    def act(self, agent: int, step: int, own: State, seen: tuple[Any, ...]) -> Effects:
        """Decide what an agent does, given everything it perceives."""
        # Hashes of whole numbers do not depend on the process.
        chance = hash((self.seed, agent, step, own.place, own.value, seen))
        print_ = self.footprints[agent]
        near = [a for a, p, _ in seen[0] if self.near(own.place, p, print_.reach)]
        return Effects(
            State(self.place_near(own.place, print_.speed, chance), chance),
            self.place_near(own.place, print_.reach, hash((chance, 1))),
            near[chance % len(near)] if near else None,
        )


@dataclass(frozen=True)
class Join:
    agent: int
    step: int
    state: State


@dataclass(frozen=True)
class Leave:
    """The agent executes no step from `step` on, and is gone from the snapshot of `gone`."""

    agent: int
    step: int
    gone: int


@dataclass
class Versioned:
    """Keeps every version; a reader sees the one of the start of its own step."""

    states: dict[int, dict[int, State]] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    cells: dict[Place, dict[tuple[int, int], int]] = field(default_factory=dict)
    messages: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)

    def join(self, join: Join) -> None:
        self.states[join.agent] = {join.step: join.state}

    def leave(self, leave: Leave) -> None:
        self.gone[leave.agent] = leave.gone

    def state(self, agent: int, step: int) -> State | None:
        return None if step >= self.gone.get(agent, step + 1) else self.states[agent].get(step)

    def read_and_act(self, setting: Setting, agent: int, step: int) -> Effects:
        own = self.states[agent][step]
        sight = setting.footprints[agent].sight
        others = []
        for other in sorted(self.states):
            state = self.state(other, step)
            if other != agent and state and setting.near(own.place, state.place, sight):
                others.append((other, state.place, state.value))
        cells = []
        for cell, versions in self.cells.items():
            if setting.near(own.place, cell, sight):
                # Of what was written before this step the latest, and of equals the highest agent.
                last = max((key for key in versions if key[0] <= step), default=None)
                if last is not None:
                    cells.append((cell, versions[last]))
        inbox = tuple(sorted(self.messages.get((agent, step), {}).items()))
        return setting.act(agent, step, own, (tuple(others), tuple(sorted(cells)), inbox))

    def commit(self, agent: int, step: int, effects: Effects) -> None:
        assert step in self.states[agent] and step + 1 not in self.states[agent]
        value = effects.state.value
        self.states[agent][step + 1] = effects.state
        self.cells.setdefault(effects.cell, {})[step + 1, agent] = value
        if effects.message_to is not None:
            self.messages.setdefault((effects.message_to, step + 1), {})[agent] = value


@dataclass
class InPlace:
    """Keeps one version; a reader sees whatever is there when it looks."""

    now: dict[int, State] = field(default_factory=dict)
    states: dict[int, list[State]] = field(default_factory=dict)
    cells: dict[Place, int] = field(default_factory=dict)
    inboxes: dict[int, dict[int, int]] = field(default_factory=dict)

    def join(self, join: Join) -> None:
        self.now[join.agent] = join.state
        self.states[join.agent] = [join.state]

    def leave(self, leave: Leave) -> None:
        del self.now[leave.agent]

    def read_and_act(self, setting: Setting, agent: int, step: int) -> Effects:
        own = self.now[agent]
        sight = setting.footprints[agent].sight
        others = tuple(
            (other, state.place, state.value)
            for other, state in sorted(self.now.items())
            if other != agent and setting.near(own.place, state.place, sight)
        )
        cells = tuple(
            sorted(item for item in self.cells.items() if setting.near(own.place, item[0], sight))
        )
        inbox = tuple(sorted(self.inboxes.pop(agent, {}).items()))
        return setting.act(agent, step, own, (others, cells, inbox))

    def commit(self, agent: int, step: int, effects: Effects) -> None:
        value = effects.state.value
        self.now[agent] = effects.state
        self.states[agent].append(effects.state)
        self.cells[effects.cell] = value
        if effects.message_to is not None:
            self.inboxes.setdefault(effects.message_to, {})[agent] = value


World = Versioned | InPlace


def lockstep(kind: type[World], setting: Setting, changes: list[Join | Leave]) -> World:
    """Run everybody in step: all read the snapshot, then all effects are applied by agent."""
    world = kind()
    present: set[int] = set()
    firsts = [Join(agent, 0, state) for agent, state in enumerate(setting.starts)]
    for step in range(setting.steps):
        for change in [*firsts, *changes]:
            if change.step != step:
                continue
            if isinstance(change, Join):
                world.join(change)
                present.add(change.agent)
            else:
                world.leave(change)
                present.remove(change.agent)
        order = sorted(present)
        effects = [world.read_and_act(setting, agent, step) for agent in order]
        for agent, effect in zip(order, effects, strict=True):
            world.commit(agent, step, effect)
    return world
