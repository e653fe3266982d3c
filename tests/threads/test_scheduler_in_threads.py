"""One `Scheduler`, many threads: what each does happens once and whole, in some order."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import chain, count
from random import Random

import numpy as np
import pytest
from together import Shared, together

from headway import Graph, Scheduler, errors

WORKERS = 4
STEPS = 40

KINDS = ("grid", "joined grid", "plane", "graph")


def crowd(kind: str, rule: str = "conservative"):
    """A scheduler, where its agents stand, and the way of each: from a step and a place to one."""
    chance = Random(kind)
    if kind == "graph":
        links = Graph([(node, (node + 1) % 60) for node in range(60)])
        places = [chance.randrange(60) for _ in range(40)]
        s = Scheduler(places, sight=1, speed=1, reach=1, **links.scheduler_options(), rule=rule)
        return s, places, lambda agent, step, node: (node + (agent + step) % 3 - 1) % 60
    places = [(chance.randrange(50), chance.randrange(50)) for _ in range(40)]
    wrap = (50, 50) if kind == "joined grid" else None
    if kind == "plane":
        places = [(x + 0.5, y + 0.25) for x, y in places]
    s = Scheduler(places, sight=3, speed=1, wrap=wrap, rule=rule)

    def way(agent, step, place):
        x, y = place[0] + (agent + step) % 3 - 1, place[1] + (agent * step) % 3 - 1
        return (x % 50, y % 50) if wrap else (x, y)

    return s, places, way


def groups(s: Scheduler, agents: list[int]) -> list[list[int]]:
    """Those who start together."""
    labels = s.clusters(agents).tolist()
    return [[a for a, at in zip(agents, labels, strict=True) if at == own] for own in set(labels)]


@pytest.mark.parametrize("rule", ["conservative", "compatibility"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_executed_once_whichever_thread_takes_it(kind, rule):
    s, where, way = crowd(kind, rule)
    first, steps = list(where), [0] * len(where)
    to_do = Shared(WORKERS)
    to_do.add(groups(s, s.ready().tolist()))

    def work():
        executed = []
        for group in to_do:
            s.start(group)
            for agent in group:
                assert (s.status(agent), s.clocks[agent]) == ("running", steps[agent])
                where[agent] = way(agent, steps[agent], where[agent])
                executed.append((agent, steps[agent]))
                steps[agent] += 1
            ready = s.finish(group, [where[agent] for agent in group]).tolist()
            to_do.add(groups(s, [agent for agent in ready if steps[agent] < STEPS]))
        return executed

    # Whoever becomes ready is told to one thread and no other: else nobody could go on, or a
    # start would be refused.
    done = Counter(chain(*together(*[work] * WORKERS)))
    assert done == Counter((agent, step) for agent in range(len(first)) for step in range(STEPS))
    expected = first
    for step in range(STEPS):
        expected = [way(agent, step, place) for agent, place in enumerate(expected)]
    assert s.positions.tolist() == np.array(expected).tolist()
    assert s.clocks.tolist() == [STEPS] * len(first)
    s.validate()


@pytest.mark.parametrize(("pairs", "rounds"), [(1, 150), (600, 20)])
def test_what_one_call_finishes_is_seen_whole(pairs, rounds):
    # Batches of 1024 and more are worked on without the interpreter lock.
    agents = list(range(2 * pairs))
    s = Scheduler([(9 * agent, 0) for agent in agents], sight=1, speed=1)
    steps = [0]

    def walk():
        for _ in range(rounds):
            s.start(agents)
            s.finish(agents, np.add(s.positions, (0, 1)))
            steps.append(steps[-1] + 1)

    def look_at_clocks():
        before = steps[-1]
        clocks = set(s.clocks.tolist())
        assert len(clocks) == 1 and clocks.pop() >= before

    def look_at_places():
        before = steps[-1]
        rows = set(s.positions[:, 1].tolist())
        assert len(rows) == 1 and rows.pop() >= before

    frontiers = [0]

    def look_at_the_rest():
        frontiers.append(s.frontier)
        assert frontiers[-2] <= frontiers[-1]
        assert len(s.ready()) in {0, len(agents)}
        assert s.status(0) in {"ready", "running"}
        numbers = [entry.number for entry in s.story(1)]
        assert numbers == sorted(set(numbers))
        assert s.blockers(1).tolist() == [] and s.held_up(0) == 0
        assert len(s) == len(agents) and f"{len(agents)} agents" in repr(s)

    together(walk, watching=(look_at_clocks, look_at_places, look_at_the_rest))
    s.validate()
    assert s.frontier == rounds


def test_of_threads_that_start_the_same_agent_one_may():
    s = Scheduler([(0, 0), (90, 0)], sight=1, speed=1)

    def claim(agent):
        try:
            s.start([agent])
        except errors.RunningError:
            return False
        return True

    for round_ in range(100):
        claims = together(*[lambda: (claim(0), claim(1))] * WORKERS)
        assert [sum(won) for won in zip(*claims, strict=True)] == [1, 1]
        s.finish([0, 1], [(0, round_ % 2), (90, 0)])
    assert s.clocks.tolist() == [100, 100]


def test_threads_let_agents_join_leave_and_be_brought_about():
    s = Scheduler(np.zeros((0, 2), int), sight=2, speed=1, reach=3)
    corners = count(0, 10_000)
    lock = threading.Lock()

    def live():
        """A family far from all others; return what has become of each member."""
        with lock:
            corner = next(corners)
        chance = Random(corner)
        family = {}

        def join():
            agent, step = s.add((corner + chance.randrange(40), 0))
            family[agent] = [step, s.positions[agent].tolist()]

        join()
        for _ in range(150):
            if chance.random() < 0.2 and len(family) < 12:
                join()
            ready = [agent for agent in family if s.status(agent) == "ready"]
            for agent in ready:  # each is ready until it is started
                s.start([agent])
                x, y = family[agent][1]
                if chance.random() < 0.2 and len(family) < 12:
                    child = s.spawn(agent, (x, y + 1))
                    assert child not in family
                    family[child] = [family[agent][0] + 1, [x, y + 1]]
                move = [x + chance.choice([-1, 0, 1]), y]
                s.finish([agent], [move])
                family[agent] = [family[agent][0] + 1, move]
            idle = [agent for agent in family if s.status(agent) in {"ready", "blocked"}]
            if len(idle) > 3 and chance.random() < 0.2:
                s.remove([idle[0]])
        assert any(step for step, _ in family.values())
        return family

    families = together(*[live] * WORKERS, watching=(lambda: (s.clocks, s.positions, s.ready()),))
    everybody = {agent: fate for family in families for agent, fate in family.items()}
    assert sum(map(len, families)) == len(everybody) == len(s)
    fates = [everybody[agent] for agent in range(len(s))]
    assert s.clocks.tolist() == [step for step, _ in fates]
    assert s.positions.tolist() == [place for _, place in fates]
    assert {s.status(agent) for agent in everybody} >= {"left"}
    s.validate()


def test_a_call_refused_in_one_thread_changes_nothing_for_another():
    s, where, way = crowd("grid")
    first = list(where)
    mine = np.array_split(np.arange(len(where)), WORKERS)

    def work(agents):
        at = {agent: (0, where[agent]) for agent in agents.tolist()}
        while any(step < STEPS for step, _ in at.values()):
            for agent, (step, place) in at.items():
                if step < STEPS and s.status(agent) == "ready":
                    s.start([agent])
                    with pytest.raises(errors.OverSpeedError) as caught:
                        s.finish([agent], [(place[0] + 9, place[1])])
                    assert (caught.value.agent, caught.value.clock) == (agent, step)
                    with pytest.raises(errors.RunningError):
                        s.start([agent])
                    at[agent] = step + 1, way(agent, step, place)
                    s.finish([agent], [at[agent][1]])

    def refused():
        with pytest.raises(errors.UnknownAgentError):
            s.status(len(first))
        with pytest.raises(errors.UnknownAgentError):
            s.start([-1])
        with pytest.raises(errors.ArrayShapeError):
            s.finish([0, 1], [(0, 0)])
        with pytest.raises(errors.FootprintError):
            s.add((0, 0), sight=-1)

    together(*[lambda agents=agents: work(agents) for agents in mine], watching=(refused,))
    expected = first
    for step in range(STEPS):
        expected = [way(agent, step, place) for agent, place in enumerate(expected)]
    assert s.positions.tolist() == np.array(expected).tolist()
    assert s.clocks.tolist() == [STEPS] * len(first)
    s.validate()
