"""Python may run anything in the middle of a call: it can use the same object, and does not wait.

A finaliser runs where something is allocated, a profiler where an exception is made. If the lock
of the object were held there, these tests would never end.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager

import pytest

from headway import PositionHistory, Scheduler, errors
from headway._core import Graph, VirtualServer


def objects():
    scheduler = Scheduler([(0, 0), (2, 0)], sight=4, speed=1)
    history = PositionHistory([(0, 0), (2, 0)])
    history.forget(3)
    plane = PositionHistory([(0.5, 0.5)])
    graph = Graph([0, 1, 2], [1, 0])
    server = VirtualServer(1, t0=0.1, p=0.001, d=0.01, max_sequences=4, token_budget=500)
    looks = (
        lambda: (scheduler.frontier, scheduler.ready(), repr(scheduler)),
        lambda: (history.oldest, len(history), plane.versions),
        lambda: (len(graph), graph.hops(0, 1)),
        lambda: (server.now, server.in_flight),
    )
    answered = (
        lambda: (scheduler.ready(), scheduler.clocks, scheduler.positions, scheduler.story(0)),
        lambda: (history.position(1, 4), history.positions([0], [4]), history.near((0, 0), 4, 2)),
        lambda: (plane.position(0, 4), plane.positions([0], [4]), plane.neighbours(0, 4, 2)),
        lambda: (graph.neighbours(0), graph.hops(0, 1), repr(graph), repr(history)),
        lambda: (server.submit([0], [1], [1]), server.advance(), server.statistics()),
    )
    refused = (
        lambda: scheduler.status(2),
        lambda: scheduler.start([7]),
        lambda: scheduler.start([-1]),
        lambda: scheduler.clusters([2]),
        lambda: scheduler.add((2**40, 0)),
        lambda: scheduler.spawn(0, (0, 0)),
        lambda: history.position(0, 1),
        lambda: history.positions([0], [1]),
        lambda: history.neighbours(0, 1, 2),
        lambda: history.near((0, 0), 1, 2),
        lambda: history.add((0, 0), 1),
        lambda: history.move([0], [2], [(1, 1)]),
        lambda: plane.position(1, 4),
        lambda: graph.hops(0, 2),
        lambda: server.submit([0], [0], [1]),
        lambda: server.lone_latency([1], [0]),
        lambda: server.cancel(10**9),
    )
    return looks, answered, refused


class Curious:
    """Garbage in a cycle, which looks at things when it is found."""

    def __init__(self, looks, found):
        self.me, self.looks, self.found = self, looks, found

    def __del__(self):
        for look in self.looks:
            self.found.append(look())


@contextmanager
def collecting():
    """Have Python look for garbage whenever it can."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def profiling(looks, found):
    """Look at things wherever a function is called."""

    def look(*_):
        sys.setprofile(None)
        found.extend(each() for each in looks)
        sys.setprofile(look)

    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)


def test_a_finaliser_can_ask_the_object_in_whose_call_it_runs():
    looks, answered, refused = objects()
    found = []
    with collecting():
        for _ in range(20):
            for call in answered:
                Curious(looks, found)
                call()
            for call in refused:
                Curious(looks, found)
                with pytest.raises(errors.HeadwayError):
                    call()
    gc.collect()  # where Python looks at other times, the calls were at least left alone
    assert found


def test_a_profiler_can_ask_the_object_whose_error_is_made():
    looks, answered, refused = objects()
    found = []
    for call in refused:
        with pytest.raises(errors.HeadwayError), profiling(looks, found):
            call()
    for call in answered:
        with profiling(looks, found):
            call()
    assert found
