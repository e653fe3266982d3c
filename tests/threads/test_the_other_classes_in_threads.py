"""`PositionHistory`, `Graph` and `VirtualServer` in many threads, against what each gives alone."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from random import Random

import numpy as np
import pytest
from together import together

from headway import Graph, PositionHistory, Scheduler, errors
from headway._core import Graph as Links
from headway._core import VirtualServer

WORKERS = 4

# Histories


def steps_of(agent: int, steps: int) -> list[tuple[int, int]]:
    """Where an agent stands at the start of every step; it now and then stays."""
    chance = Random(agent)
    place, places = (chance.randrange(30), chance.randrange(30)), []
    for _ in range(steps):
        places.append(place)
        place = (place[0] + chance.choice([-1, 0, 0, 1]), place[1])
    return places


@pytest.mark.parametrize(("agents", "steps"), [(24, 60), (6000, 4)])
def test_a_history_that_many_tell_knows_where_everybody_was(agents, steps):
    # Batches of 1024 and more are worked on without the interpreter lock.
    ways = [steps_of(agent, steps) for agent in range(agents)]
    h = PositionHistory([way[0] for way in ways], radius=3)
    told = [0] * WORKERS
    chance = Random(1)

    def walk(worker):
        mine = range(worker, agents, WORKERS)
        for step in range(1, steps):
            h.move(list(mine), [step] * len(mine), [ways[agent][step] for agent in mine])
            told[worker] = step

    def look():
        agent, known = chance.randrange(agents), min(told)
        assert h.position(agent, known) == ways[agent][known]
        center = ways[agent][known]
        near = [
            other
            for other, way in enumerate(ways)
            if max(abs(way[known][0] - center[0]), abs(way[known][1] - center[1])) <= 3
        ]
        assert h.near(center, known, 3) == near
        assert h.neighbours(agent, known, 3) == [other for other in near if other != agent]
        some = [agent, agent // 2, 0]
        rows = [list(ways[other][known]) for other in some]
        assert h.positions(some, [known] * 3).tolist() == rows

    def refused():
        with pytest.raises(errors.UnknownAgentError):
            h.position(agents, 0)
        with pytest.raises(errors.DuplicateAgentError):
            h.move([0, 0], [steps, steps], [(0, 0), (1, 1)])

    jobs = [lambda worker=worker: walk(worker) for worker in range(WORKERS)]
    together(*jobs, watching=(look, refused))
    for step in range(steps):
        expected = [list(way[step]) for way in ways]
        assert h.positions(range(agents), [step] * agents).tolist() == expected
    h.validate()


def test_a_history_forgets_joins_and_loses_while_others_ask():
    h = PositionHistory([(0, 0)] * WORKERS)

    told = [0] * WORKERS

    def live(worker):
        born = []
        for step in range(1, 80):
            h.move([worker], [step], [(step, worker)])
            told[worker] = step
            if step % 10 == 0:
                born.append(h.add((1000 + worker, step), step))
            if step % 20 == 0:
                h.remove([born.pop(0)], [step + 1])
        return born

    def look():
        h.forget(min(told))
        with pytest.raises(errors.StepError):
            h.neighbours(0, h.oldest - 1, 5)
        known = min(told)
        assert h.position(0, known) == (known, 0)
        assert h.versions >= WORKERS
        assert "versions from step" in repr(h)

    jobs = [lambda worker=worker: live(worker) for worker in range(WORKERS)]
    born = together(*jobs, watching=(look,))
    kept = sorted(chain(*born))
    assert len(kept) == len(set(kept)) and len(h) == WORKERS + 7 * WORKERS
    assert h.near((1000, 40), 200, 100) == kept
    assert h.positions(range(WORKERS), [200] * WORKERS).tolist() == [
        [79, worker] for worker in range(WORKERS)
    ]
    h.validate()


# Graphs


def test_threads_that_ask_one_graph_are_told_what_one_thread_is():
    def fresh():
        chance = Random(3)
        links = [chance.randrange(200) for _ in range(400)]
        return Links(range(0, 402, 2), links)

    alone, shared = fresh(), fresh()
    expected = [[alone.hops(a, b) for b in range(0, 200, 7)] for a in range(0, 200, 11)]
    around = [alone.neighbours(node).tolist() for node in range(200)]

    def ask(seed):
        rows = list(enumerate(range(0, 200, 11)))
        Random(seed).shuffle(rows)
        for at, a in rows:
            assert [shared.hops(a, b) for b in range(0, 200, 7)] == expected[at]
            assert [shared.neighbours(node).tolist() for node in range(200)] == around
            assert len(shared) == 200 and repr(shared) == "<Graph of 200 nodes>"
            with pytest.raises(errors.PositionError):
                shared.hops(a, 200)

    together(*[lambda seed=seed: ask(seed) for seed in range(WORKERS)])


def test_schedulers_that_share_a_graph_in_several_threads_decide_as_each_does_alone():
    shared = Graph.small_world(120, 4, 0.1, seed=2).scheduler_options()

    def decisions(seed, options):
        chance = Random(seed)
        places = [chance.randrange(120) for _ in range(30)]
        s = Scheduler(places, sight=2, speed=1, reach=1, **options)
        h = PositionHistory(places, **options)
        seen = []
        for _ in range(150):
            agent = chance.choice(s.ready().tolist())
            step = int(s.clocks[agent])
            s.start([agent])
            seen.append(h.neighbours(agent, step, 2))
            there = int(chance.choice([*around[int(s.positions[agent])], s.positions[agent]]))
            seen.append(s.finish([agent], [there]).tolist())
            h.move([agent], [step + 1], [there])
        s.validate()
        h.validate()
        return seen

    around = [shared["graph"].neighbours(node).tolist() for node in range(120)]
    alone = [decisions(seed, shared) for seed in range(WORKERS)]
    jobs = [lambda seed=seed: decisions(seed, shared) for seed in range(WORKERS)]
    assert together(*jobs, watching=(lambda: shared["graph"].hops(0, 60),)) == alone


# Modelled servers


def test_a_server_that_many_use_finishes_every_request_once():
    s = VirtualServer(2, t0=0.1, p=0.001, d=0.01, max_sequences=4, token_budget=500)
    finished: list[list[int]] = [[] for _ in range(WORKERS)]
    cancelled: list[list[int]] = [[] for _ in range(WORKERS)]
    now = [0.0]

    def use(worker):
        chance, submitted = Random(worker), []
        for _ in range(200):
            count = chance.randrange(1, 4)
            tokens = [chance.randrange(1, 300) for _ in range(count)]
            ids = s.submit([worker] * count, tokens, [5] * count).tolist()
            assert ids == list(range(ids[0], ids[0] + count))  # a batch is numbered in one go
            submitted += ids
            with pytest.raises(errors.EngineError):
                s.submit([0, 0], [1, 0], [1, 1])
            if chance.random() < 0.3:
                request = chance.choice(ids)
                if s.cancel(request):
                    cancelled[worker].append(request)
            finished[worker] += s.advance().tolist()
        return submitted

    def look():
        facts = s.statistics()
        assert facts["finished"] + facts["cancelled"] <= facts["submitted"]
        assert facts["seconds"] >= now[-1]
        now.append(facts["seconds"])
        assert s.lone_latency([100], [1]).tolist() == [pytest.approx(0.1)]
        assert (s.replicas, s.in_flight >= 0, s.now >= now[-1]) == (2, True, True)

    jobs = [lambda worker=worker: use(worker) for worker in range(WORKERS)]
    submitted = list(chain(*together(*jobs, watching=(look,))))
    assert sorted(submitted) == list(range(len(submitted)))
    while s.in_flight:
        finished[0] += s.advance().tolist()
    ended = Counter(chain(*finished, *cancelled))
    assert ended == Counter(submitted)
    facts = s.statistics()
    assert (facts["submitted"], facts["cancelled"]) == (len(submitted), sum(map(len, cancelled)))


def test_a_server_numbers_batches_of_threads_in_some_order():
    s = VirtualServer(1, t0=0.1, p=0.001, d=0.01, max_sequences=4, token_budget=500)
    many = np.ones(2000, np.int64)
    ids = together(*[lambda: s.submit(many, many, many)] * WORKERS)
    first = sorted(int(each[0]) for each in ids)
    assert first == [0, 2000, 4000, 6000]
    assert all(np.array_equal(each, each[0] + np.arange(2000)) for each in ids)
