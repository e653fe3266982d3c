"""Random worlds in which everything an agent perceives decides what it does next.

One seed makes one world. An agent folds all it has seen into a number that it publishes, so that
any difference in anything anybody perceived shows in the final state.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from random import Random

from headway.live import Action, Agent, Simulation
from headway.space import Grid, Plane
from headway.space.graph import Graph
from headway.world import Place


def fold(*facts: object) -> str:
    return blake2b(repr(facts).encode(), digest_size=6).hexdigest()


class Person(Agent):
    """Moves, talks, writes, sends, leaves and brings about others, as its seed and view say."""

    def __init__(self, name, position, habits, **footprint):
        super().__init__(name, position, state={"memory": ""}, **footprint)
        self.habits = habits
        self.memory = name
        self.children = 0

    def step(self, view):
        # Some steps are synchronous, some coroutines that never wait, some wait.
        kind = (view.step + len(self.name)) % self.habits["sync_every"]
        return self.act(view) if kind else self.decide(view, ())

    async def act(self, view):
        chance = Random(f"{self.memory} {view.step}")
        answers = []
        if chance.random() < self.habits["talks"]:
            count = chance.choice([1, 1, 2, 3])
            prompts = [f"{self.memory} {number}" for number in range(count)]
            if chance.random() < 0.3:
                calls = [view.llm.chat(prompt, max_tokens=9) for prompt in prompts]
                answers = [answer.text for answer in await asyncio.gather(*calls)]
            else:
                for prompt in prompts:
                    answer = await view.llm.chat(prompt, choices=["yes", "no", "later"])
                    answers.append(answer.value)
        return self.decide(view, answers)

    def decide(self, view, answers):
        seen = [
            (n.name, n.position, round(n.distance, 6), n.state["memory"], n.said)
            for n in view.neighbours
        ]
        places = [(p.name, p.state) for p in view.places]
        self.memory = fold(
            self.memory, seen, places, view.inbox, list(answers), view.random.random(), view.step,
            view.position, view.time.isoformat(),
        )  # fmt: skip
        chance = Random(self.memory)
        action = Action(state={"memory": self.memory})
        if chance.random() < 0.7:
            action.move = self.habits["move"](view, chance)
        if chance.random() < 0.3:
            action.say = f"words {self.memory}"
        near = [n.name for n in view.neighbours if n.distance <= self.habits["reach"](self)]
        if near and chance.random() < 0.5:
            action.tell = {chance.choice(near): ["letter", self.memory]}
        for place in view.places:
            if place.distance <= self.habits["reach"](self) and chance.random() < 0.5:
                action.write[place.name] = (
                    chance.random() < 0.5 if place.name == "claimed" else self.memory
                )
        if chance.random() < self.habits["leaves"]:
            action.leave = True
        if self.children < 2 and chance.random() < self.habits["spawns"]:
            self.children += 1
            child = Person(f"{self.name}.{view.step}", view.position, self.habits)
            action.spawn = [child]
        return action


def _add(old, writes):
    return fold(old, writes)


def random_simulation(seed: int) -> Simulation:
    """Make the world of a seed."""
    chance = Random(f"world {seed}")
    kind = chance.choice(["grid", "walls", "wrap", "plane", "torus", "graph"])
    speed = 0 if kind == "graph" and chance.random() < 0.6 else chance.choice([1, 1, 2])
    side = chance.choice([12, 20, 30])
    space, where, move = _space(kind, side, speed, chance)
    sight = chance.choice([1, 2]) if kind == "graph" else chance.choice([1, 2, 4])
    reach = speed + chance.choice([0, 0, 1, 2])
    several = chance.random() < 0.4
    count = chance.randint(2, 14)
    habits = {
        "talks": chance.choice([0.1, 0.3, 0.6]),
        "sync_every": chance.choice([2, 3, 5]),
        "move": move,
        "reach": lambda agent: reach if agent.reach is None else agent.reach,
        "leaves": chance.choice([0, 0, 0.02]),
        "spawns": chance.choice([0, 0, 0.05]),
    }
    people = []
    for number in range(count):
        footprint = {}
        if several and chance.random() < 0.5:
            footprint = {
                "sight": chance.choice([0, 1, 3, 5]),
                "reach": reach + chance.choice([0, 2]),
            }
        joins = chance.choice([0] * 8 + [3, 10])
        people.append(Person(f"p{number}", where(chance), habits, joins=joins, **footprint))
    rules = [("board", "last"), ("first", "first"), ("claimed", "claim"), ("sum", _add)]
    places = [Place(name, where(chance), rule=rule) for name, rule in rules]
    return Simulation(
        space, people, places=places, sight=sight, speed=speed, reach=reach, seed=seed
    )


def _space(kind, side, speed, chance):
    if kind == "graph":
        edges = [(a, chance.randrange(a)) for a in range(1, side)]
        edges += [(chance.randrange(side), chance.randrange(side)) for _ in range(side // 3)]
        space = Graph([(a, b) for a, b in edges if a != b])
        return space, lambda r: r.randrange(side), lambda view, r: _hop(view, r, space, speed)
    if kind in {"plane", "torus"}:
        size = float(side)
        space = Plane(
            size, size, wrap=kind == "torus", metric=chance.choice(["euclidean", "chebyshev"])
        )
        return (
            space,
            lambda r: (r.uniform(0, size - 0.01), r.uniform(0, size - 0.01)),
            lambda view, r: view.toward((r.uniform(0, size - 0.01), r.uniform(0, size - 0.01))),
        )
    walls = []
    if kind == "walls":
        walls = [(x, y) for x in range(side) for y in range(side) if chance.random() < 0.15]
    metric = chance.choice(["chebyshev", "chebyshev", "manhattan", "euclidean"])
    diagonal = metric == "chebyshev" and chance.random() < 0.5
    space = Grid(
        side, side, walls=walls or None, wrap=kind == "wrap", diagonal=diagonal, metric=metric
    )
    free = [(x, y) for x in range(side) for y in range(side) if (x, y) not in set(walls)]
    return space, lambda r: r.choice(free), lambda view, r: view.toward(r.choice(free))


def _hop(view, chance, space, speed):
    if not speed:
        return None
    return view.toward(chance.randrange(len(space)))
