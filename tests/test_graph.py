"""Agents on the nodes of a graph: `Graph`, and `Scheduler` and `PositionHistory` on one."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from headway import Scheduler, errors
from headway._core import Graph, PositionHistory
from small_schedulers import refusal


def path(nodes: int) -> Graph:
    """Each node is linked with the next."""
    return Graph([*range(nodes), nodes - 1], range(1, nodes))


def on_a_path(nodes: int, **options) -> Scheduler:
    """One agent on each node, who sees the next ones and stays."""
    options = {"sight": 1, "speed": 0, "reach": 0} | options
    return Scheduler(np.arange(nodes), graph=path(nodes), **options)


def test_links_count_both_ways_and_once():
    graph = Graph(np.array([0, 3, 5, 5, 5]), np.array([1, 0, 1, 0, 2], np.uint8))
    assert (len(graph), repr(graph)) == (4, "<Graph of 4 nodes>")
    assert [graph.neighbours(node).tolist() for node in range(4)] == [[1], [0, 2], [1], []]
    assert graph.neighbours(0).dtype == np.int64
    assert [graph.hops(0, node) for node in range(4)] == [0, 1, 2, math.inf]
    assert isinstance(graph.hops(0, 2), int)


@pytest.mark.parametrize(
    ("indptr", "indices", "expected", "words"),
    [
        ([], [], errors.OptionError, "one number more than there are nodes"),
        ([1, 1], [0], errors.OptionError, "begin with 0 and never fall; it does at place 0"),
        ([0, 2, 1], [0], errors.OptionError, "at place 2"),
        ([0, -1], [], errors.OptionError, "indptr must not hold -1"),
        ([0, 1], [0, 0], errors.OptionError, "number of indices, which is 2; it ends with 1"),
        ([0, 1, 2], [1, 2], errors.OptionError, "from 0 up to below 2; the one at place 1"),
        ([0, 1], [-1], errors.OptionError, "numbered from 0, got -1"),
        ([0, 1], [0.5], errors.ArrayTypeError, "indices must be whole numbers"),
        ([[0, 1]], [0], errors.ArrayShapeError, "indptr must have shape"),
        ([0, 1], 0, errors.ArrayShapeError, "indices must have shape"),
    ],
)
def test_what_makes_no_graph_is_refused(indptr, indices, expected, words):
    with pytest.raises(expected, match=words):
        Graph(indptr, indices)


@pytest.mark.parametrize("node", [3, -1, 2**40, 2**200])
def test_a_node_that_is_none_is_refused(node):
    graph = path(3)
    for ask in (
        graph.neighbours,
        lambda node: graph.hops(0, node),
        lambda node: graph.hops(node, 0),
    ):
        with pytest.raises(errors.PositionError, match="the graph has 3 nodes, numbered from 0"):
            ask(node)
    with pytest.raises(errors.ArrayTypeError, match="whole number, a node, got 'a'"):
        graph.neighbours("a")


def test_only_those_linked_wait_for_each_other():
    s = on_a_path(6)
    assert (s.metric, s.positions.tolist()) == ("hops", [0, 1, 2, 3, 4, 5])
    s.start(s.ready())
    assert s.finish([0, 1, 3, 4, 5], [0, 1, 3, 4, 5]).tolist() == [0, 4, 5]
    assert s.blockers(1).tolist() == [2]
    assert s.blockers(0).tolist() == []
    s.validate()


def test_agents_walk_join_and_bring_others_about_on_a_graph():
    s = on_a_path(9, speed=1, reach=1)
    assert s.add(4) == (9, 1)
    s.remove([9])
    s.start([0, 8])
    assert s.spawn(8, 7) == 10
    s.finish([0, 8], [1, np.int8(8)])
    assert s.positions[[0, 8, 10]].tolist() == [1, 8, 7]
    assert refusal(errors.NotRunningError, s, s.spawn, 8, 5).agent == 8
    s.start([1])
    assert refusal(errors.SpawnError, s, s.spawn, 1, 3).limit == 1
    error = refusal(errors.OverSpeedError, s, s.finish, [1], [3])
    assert (error.distance, error.speed) == (2, 1)
    s.validate()


def test_parts_without_a_path_between_them_never_wait():
    graph = Graph([0, 1, 1, 2, 2], [1, 3])
    s = Scheduler([0, 1, 2, 3], graph=graph, sight=100, speed=0)
    for _ in range(50):
        s.start([0, 1])
        s.finish([0, 1], [0, 1])
    assert s.clocks.tolist() == [50, 50, 0, 0]
    assert s.status(0) == "ready"


@pytest.mark.parametrize(
    ("positions", "options", "expected", "words"),
    [
        ([0, 3], {}, errors.PositionError, "agent 1 cannot stand on node 3: the graph has 3 nodes"),
        ([0, -1], {}, errors.PositionError, "agent 1 cannot stand on node -1"),
        ([0.5], {}, errors.ArrayTypeError, "positions must be whole numbers"),
        ([[0, 0]], {}, errors.ArrayShapeError, r"positions must have shape \(k,\)"),
        ([0], {"metric": "manhattan"}, errors.OptionError, "leave out metric and wrap"),
        ([0], {"wrap": (3, 3)}, errors.OptionError, "leave out metric and wrap"),
        ([0], {"graph": [0]}, errors.OptionError, r"graph must be a Graph, got \[0\]"),
    ],
)
def test_what_does_not_fit_a_graph_is_refused(positions, options, expected, words):
    options = {"graph": path(3)} | options
    with pytest.raises(expected, match=words):
        Scheduler(positions, sight=1, speed=0, **options)
    with pytest.raises(expected, match=words):
        PositionHistory(positions, **options)


def test_bad_places_of_running_schedulers_are_refused():
    s = on_a_path(3)
    s.start([1])
    assert refusal(errors.PositionError, s, s.finish, [1], [3]).position == 3
    assert refusal(errors.PositionError, s, s.finish, [1], [2**40]).position == 2**40
    assert refusal(errors.PositionError, s, s.add, -1).agent == 3
    assert "whole number, a node" in str(refusal(errors.ArrayTypeError, s, s.add, (0, 0)))
    assert "2 positions" in str(refusal(errors.ArrayShapeError, s, s.finish, [1], [1, 1]))


def test_a_sight_of_half_a_hop_is_refused():
    with pytest.raises(errors.FootprintError, match="whole number on a grid or graph"):
        on_a_path(3, sight=0.5)


def test_a_history_on_a_graph():
    h = PositionHistory([0, 1, 4], graph=path(6))
    h.move([0, 2], [2, 3], [2, 3])
    assert [h.neighbours(1, step, 2) for step in (1, 2, 3)] == [[0], [0], [0, 2]]
    assert h.near(5, 0, 1) == [2]
    assert (h.position(0, 1), h.position(0, 2)) == (0, 2)
    assert h.positions([0, 2], [2, 2]).tolist() == [2, 4]
    assert h.add(5, 1) == 3
    h.validate()
    with pytest.raises(errors.PositionError, match="nobody can stand on node 6") as caught:
        h.near(6, 0, 1)
    assert caught.value.position == 6


def test_an_order_out_of_step_keeps_everybody_within_what_they_see():
    choose = random.Random(5)
    links = [sorted({choose.randrange(40) for _ in range(3)}) for _ in range(40)]
    graph = Graph(np.cumsum([0, *map(len, links)]), np.concatenate(links))
    s = Scheduler(np.arange(40), graph=graph, sight=1, speed=0, reach=0)
    running: list[int] = []
    for _ in range(600):
        ready = s.ready().tolist()
        if ready and choose.random() < 0.5:
            one = choose.choice(ready)
            s.start([one])
            running.append(one)
        elif running:
            one = running.pop(choose.randrange(len(running)))
            s.finish([one], [one])
        clocks = s.clocks
        for agent in running:
            assert all(clocks[other] >= clocks[agent] for other in graph.neighbours(agent))
    assert s.clocks.max() > s.frontier + 1
    s.validate()
