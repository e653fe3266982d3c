"""Random worlds in which everything an agent perceives decides what it does next.

One number makes one world, or a Hypothesis strategy does. An agent folds all it has seen into a
text that it publishes, so that a difference in anything anybody perceived shows in the final state.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any

from headway.engines.scripted import ScriptedEngine, scripted_answer
from headway.errors import EngineUnavailableError
from headway.live import Action, Agent, OnError, Simulation, View
from headway.space import Graph, Grid, Plane, Space
from headway.testing.running import Setup
from headway.world import Place

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from headway.engines.base import Request

#: Kinds of spaces that are drawn.
KINDS = ("grid", "walls", "wrap", "plane", "torus", "graph")


def fold(*facts: object) -> str:
    """Return a short text that depends on everything."""
    return blake2b(repr(facts).encode(), digest_size=6).hexdigest()


#: Rules of the places that are drawn, by their names.
RULES = {
    "board": "last",
    "first": "first",
    "claimed": "claim",
    "sum": fold,
}


@dataclass(frozen=True)
class Habits:
    """How likely the agents of a world do what.

    Attributes
    ----------
    talks, moves, says, tells, writes, leaves, spawns : float
        Probabilities in a step, of what is possible at all.
    fails : float
        That a step raises an error, whatever it would have done.
    sync_every : int
        One in so many steps is not a coroutine.
    """

    talks: float = 0.3
    moves: float = 0.7
    says: float = 0.3
    tells: float = 0.5
    writes: float = 0.5
    leaves: float = 0.0
    spawns: float = 0.0
    fails: float = 0.0
    sync_every: int = 3


@dataclass(frozen=True)
class World:
    """A random world, as data; `simulation` makes it, as often as is wanted.

    Attributes
    ----------
    space : Space
    agents : sequence of (name, position, footprint, joins)
        A footprint is a mapping with some of sight, speed and reach; the others are the world's.
    places : mapping of name to position
        The names are those of `RULES`.
    footprint : (float, float, float)
        Sight, speed and reach of those without one of their own.
    habits : Habits
    seed : int
    faults : float
        How likely an engine fails to answer a call, which has the step tried again.
    then : {"abort", "skip"}
        What happens to steps that fail for good.
    """

    space: Space
    agents: Sequence[tuple[str, Any, dict[str, float], int]]
    places: dict[str, Any]
    footprint: tuple[float, float, float]
    habits: Habits = field(default_factory=Habits)
    seed: int = 0
    faults: float = 0.0
    then: str = "abort"

    def simulation(self) -> Simulation:
        """Make the simulation, with new agents."""
        sight, speed, reach = self.footprint
        people = [
            Person(name, position, self, joins=joins, **footprint)
            for name, position, footprint, joins in self.agents
        ]
        places = [
            Place(name, position, rule=RULES[name])  # type: ignore[arg-type]
            for name, position in self.places.items()
        ]
        return Simulation(
            self.space, people, places=places,
            sight=sight, speed=speed, reach=reach, seed=self.seed,
        )  # fmt: skip

    def setup(self) -> Setup:
        """Make the simulation, and what answers it, with the faults."""
        engine = ScriptedEngine(self._answer, latency=None)
        attempts = 5 if self.faults else 1
        on_error = OnError(then=self.then, attempts=attempts)
        return Setup(self.simulation(), engine, on_error, self._labels())

    def _labels(self) -> list[str]:
        space = self.space
        if isinstance(space, Graph):
            kind = "graph, hops"
        else:
            joined = ", joined borders" if space.wrap else ""
            walls = ", walls" if isinstance(space, Grid) and space.walls.any() else ""
            kind = f"{type(space).__name__.lower()}, {space.metric}{joined}{walls}"
        sight, speed, reach = self.footprint
        own = any(footprint for _, _, footprint, _ in self.agents)
        traits = {
            "own footprints": own,
            "one footprint for all": not own,
            "reach > speed": reach > speed,
            "sight < speed": sight < speed,
            "nobody moves": not speed,
            "joins, leaves or children": bool(
                self.habits.leaves or self.habits.spawns or any(a[3] for a in self.agents)
            ),
            "steps or calls that fail": bool(self.habits.fails or self.faults),
        }
        return [kind, *(trait for trait, has in traits.items() if has)]

    def _answer(self, request: Request) -> str:
        # By what is asked, how often, and nothing else: the same in every order of execution.
        if self.faults and Random(f"fault {request.seed}").random() < self.faults:
            raise EngineUnavailableError(f"{request} was not answered")
        return scripted_answer(request)


class Person(Agent):
    """Moves, talks, writes, sends, leaves and brings about others, as its seed and view say."""

    def __init__(
        self,
        name: str,
        position: Any,  # noqa: ANN401 - as the space has it
        world: World,
        **footprint: Any,  # noqa: ANN401 - and when it joins
    ) -> None:
        super().__init__(name, position, state={"memory": ""}, **footprint)
        self.world = world
        self.memory = name
        self.children = 0

    def snapshot(self) -> tuple[str, int]:
        """Return what a step that is tried again must not find changed."""
        return self.memory, self.children

    def restore(self, snapshot: tuple[str, int]) -> None:
        """Take back what a step that is tried again has changed."""
        self.memory, self.children = snapshot

    def step(self, view: View) -> Action | Coroutine[Any, Any, Action]:
        """Execute a step: some are synchronous, some coroutines that never wait, some wait."""
        kind = (view.step + len(self.name)) % self.world.habits.sync_every
        return self._act(view) if kind else self._decide(view, ())

    async def _act(self, view: View) -> Action:
        chance = Random(f"{self.memory} {view.step}")
        answers: list[Any] = []
        if chance.random() < self.world.habits.talks:
            count = chance.choice([1, 1, 2, 3])
            prompts = [f"{self.memory} {number}" for number in range(count)]
            if chance.random() < 0.3:
                calls = [view.llm.chat(prompt, max_tokens=9) for prompt in prompts]
                answers = [answer.text for answer in await asyncio.gather(*calls)]
            else:
                for prompt in prompts:
                    answer = await view.llm.chat(prompt, choices=["yes", "no", "later"])
                    answers.append(answer.value)
        return self._decide(view, answers)

    def _decide(self, view: View, answers: Sequence[object]) -> Action:
        seen = [
            (n.name, n.position, round(n.distance, 6), n.state["memory"], n.said)
            for n in view.neighbours
        ]
        places = [(p.name, p.state) for p in view.places]
        memory = fold(
            self.memory, seen, places, view.inbox, list(answers), view.random.random(), view.step,
            view.position, view.time.isoformat(),
        )  # fmt: skip
        chance, habits = Random(memory), self.world.habits
        if chance.random() < habits.fails:
            raise RuntimeError(f"{self.name} fails with {memory}")
        self.memory = memory
        action = Action(state={"memory": memory})
        if chance.random() < habits.moves:
            action.move = self._step_toward_anywhere(view, chance)
        if chance.random() < habits.says:
            action.say = f"words {memory}"
        self._affect(view, action, chance)
        if chance.random() < habits.leaves:
            action.leave = True
        if self.children < 2 and chance.random() < habits.spawns:
            self.children += 1
            action.spawn = [Person(f"{self.name}.{view.step}", view.position, self.world)]
        return action

    def _affect(self, view: View, action: Action, chance: Random) -> None:
        """Send a letter and write to places, to and at what is near enough."""
        habits = self.world.habits
        reach = self.world.footprint[2] if self.reach is None else self.reach
        near = [n.name for n in view.neighbours if n.distance <= reach]
        if near and chance.random() < habits.tells:
            action.tell = {chance.choice(near): ["letter", self.memory]}
        action.write = {
            place.name: chance.random() < 0.5 if place.name == "claimed" else self.memory
            for place in view.places
            if place.distance <= reach and chance.random() < habits.writes
        }

    def _step_toward_anywhere(self, view: View, chance: Random) -> Any:  # noqa: ANN401
        speed = self.world.footprint[1] if self.speed is None else self.speed
        return view.toward(_anywhere(self.world.space, chance)) if speed else None


def random_world(chance: Random, *, seed: int = 0) -> World:
    """Draw a world; equal generators draw equal worlds."""
    kind = chance.choice(KINDS)
    speed = 0 if kind == "graph" and chance.random() < 0.6 else chance.choice([1, 1, 2])
    space = random_space(kind, chance.choice([12, 20, 30]), chance)
    sight = chance.choice([1, 2]) if kind == "graph" else chance.choice([1, 2, 4])
    reach = speed + chance.choice([0, 0, 1, 2])
    several = chance.random() < 0.4
    people = []
    for number in range(chance.randint(2, 14)):
        footprint: dict[str, float] = {}
        if several and chance.random() < 0.5:
            footprint = {
                "sight": chance.choice([0, 1, 3, 5]),
                "reach": reach + chance.choice([0, 2]),
            }
        joins = chance.choice([0] * 8 + [3, 10])
        people.append((f"p{number}", _anywhere(space, chance), footprint, joins))
    habits = Habits(
        talks=chance.choice([0, 0.1, 0.3, 0.6]),
        moves=chance.choice([0.2, 0.7, 0.7, 1]),
        says=chance.choice([0, 0.3]),
        tells=chance.choice([0, 0.5]),
        leaves=chance.choice([0, 0, 0.02]),
        spawns=chance.choice([0, 0, 0.05]),
        fails=chance.choice([0, 0, 0.05]),
        sync_every=chance.choice([2, 3, 5]),
    )
    faults = chance.choice([0, 0, 0.1])
    return World(
        space, people, {name: _anywhere(space, chance) for name in RULES},
        (sight, speed, reach), habits, seed,
        faults=faults, then="skip" if habits.fails or faults else "abort",
    )  # fmt: skip


def random_setup(seed: int) -> Setup:
    """Make the random world of a seed, for `assert_same_as_lockstep`."""
    return random_world(Random(f"world {seed}"), seed=seed).setup()


def random_simulation(seed: int) -> Simulation:
    """Make the random world of a seed, in which no step fails."""
    world = random_world(Random(f"world {seed}"), seed=seed)
    return replace(world, habits=replace(world.habits, fails=0)).simulation()


def random_space(kind: str, side: int, chance: Random) -> Space:
    """Draw a space of one of the `KINDS`, of about `side` by `side`, or with `side` nodes."""
    if kind == "graph":
        edges = [(a, chance.randrange(a)) for a in range(1, side)]
        edges += [(chance.randrange(side), chance.randrange(side)) for _ in range(side // 3)]
        return Graph([(a, b) for a, b in edges if a != b])
    if kind in {"plane", "torus"}:
        metric = chance.choice(["euclidean", "chebyshev"])
        return Plane(float(side), float(side), wrap=kind == "torus", metric=metric)
    walls = []
    if kind == "walls":
        walls = [(x, y) for x in range(side) for y in range(side) if chance.random() < 0.15]
    metric = chance.choice(["chebyshev", "chebyshev", "manhattan", "euclidean"])
    diagonal = metric == "chebyshev" and chance.random() < 0.5
    return Grid(
        side, side, walls=walls or None, wrap=kind == "wrap", diagonal=diagonal, metric=metric
    )


def _anywhere(space: Space, chance: Random) -> Any:  # noqa: ANN401 - as the space has it
    """Draw a place where somebody can stand."""
    if isinstance(space, Graph):
        return chance.randrange(len(space))
    if isinstance(space, Plane):
        width, height = space.width or 1000.0, space.height or 1000.0
        return chance.uniform(0, width - 0.01), chance.uniform(0, height - 0.01)
    assert isinstance(space, Grid)
    while True:
        tile = (chance.randrange(space.width), chance.randrange(space.height))
        if space.is_free(tile):
            return tile
