"""Ways in a graph are the shortest and always the same; names are found; drawings are seeded."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import _core, errors
from headway.space import Graph


@st.composite
def graphs(draw):
    """A small graph, often in several pieces, and its hops by repeated relaxation."""
    n = draw(st.integers(1, 14))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=24))
    hops = np.full((n, n), math.inf)
    np.fill_diagonal(hops, 0)
    for a, b in edges:
        if a != b:
            hops[a, b] = hops[b, a] = 1
    for k in range(n):
        hops = np.minimum(hops, hops[:, [k]] + hops[[k]])
    return Graph(edges, nodes=range(n)), hops


@given(graphs(), st.integers(0, 4))
def test_hops_paths_and_moves_are_those_of_a_slow_search(drawn, speed):
    graph, hops = drawn
    for p in range(len(graph)):
        assert graph.neighbours(p) == np.flatnonzero(hops[p] == 1).tolist()
        for q in range(len(graph)):
            assert graph.distance(p, q) == hops[p, q]
            expected, here = [], p
            while here != q and hops[p, q] < math.inf:
                here = next(k for k in graph.neighbours(here) if hops[k, q] == hops[here, q] - 1)
                expected.append(here)
            assert graph.path(p, q) == expected
            assert graph.toward(p, q, speed) == [p, *expected][min(speed, len(expected))]
            if hops[p, q] <= speed:
                graph.check_move(p, q, speed)
            else:
                with pytest.raises(errors.SpaceError, match=f"more than {speed} hops"):
                    graph.check_move(p, q, speed)


@pytest.mark.skipif(not hasattr(_core, "Graph"), reason="the extension has no graphs")
@given(graphs())
def test_the_scheduler_counts_the_same_hops(drawn):
    graph, hops = drawn
    core = graph.scheduler_options()["graph"]
    for p in range(len(graph)):
        for q in range(len(graph)):
            assert (core.hops(p, q) == hops[p, q]) or hops[p, q] == math.inf


def test_large_waves_find_the_same_as_small_ones():
    graph = Graph.small_world(3000, 10, 0.1, seed=4)
    hops, wave, seen = 0, {17}, {17}
    while wave:
        for node in list(wave)[:5]:
            assert graph.distance(node, 17) == hops
            assert len(graph.path(node, 17)) == hops
        wave = {k for node in wave for k in graph.neighbours(node)} - seen
        seen |= wave
        hops += 1
    assert len(seen) == 3000


def test_nodes_have_names():
    graph = Graph({"anna": ["bob"], "bob": ["carl"], "zoe": []})
    assert [graph.name(i) for i in range(4)] == ["anna", "bob", "zoe", "carl"]
    assert graph.path(graph.node("anna"), graph.node("carl")) == [1, 3]
    assert graph.distance(0, 2) == math.inf
    assert graph.toward(0, 2) == 0
    assert repr(graph) == "<Graph 4 nodes, 2 edges>"
    with pytest.raises(errors.SpaceError, match="no node 'ana' among 4; similar ones are 'anna'"):
        graph.node("ana")
    with pytest.raises(errors.SpaceError, match="node\\(\\) gives the number of a name"):
        graph.check("anna")
    with pytest.raises(errors.SpaceError, match=r"'anna' to 'carl' takes more than 1 hops"):
        graph.check_move(0, 3, 1)


def test_numbers_stay_numbers_if_they_count_the_nodes():
    assert Graph([(2, 1), (1, 0)]).neighbours(1) == [0, 2]
    assert Graph(np.array([[2, 1], [1, 0]])).neighbours(2) == [1]
    graph = Graph([(20, 10), (10, 30)])
    assert (graph.node(20), graph.node(10), graph.name(2)) == (0, 1, 30)
    with pytest.raises(errors.SpaceError, match="no node '40'"):
        graph.node(40)


def test_drawn_graphs_depend_on_the_seed_alone():
    for draw in (lambda s: Graph.small_world(60, 6, 0.2, s), lambda s: Graph.scale_free(60, 3, s)):
        one, same, other = draw(1), draw(1), draw(2)
        rows = [[g.neighbours(i) for i in range(60)] for g in (one, same, other)]
        assert rows[0] == rows[1] != rows[2]
        assert max(one.distance(0, i) for i in range(60)) < 60
    ring = Graph.small_world(10, 4, 0, seed=0)
    assert ring.neighbours(0) == [1, 2, 8, 9]
    assert len(Graph.scale_free(200, 2, seed=3)._net.indices) == 2 * (2 + 2 * 197)


def test_a_graph_can_be_copied():
    graph = Graph([("a", "b"), ("b", "c")])
    copy = pickle.loads(pickle.dumps(graph))
    assert copy.node("c") == 2
    assert copy.path(0, 2) == [1, 2]
    assert repr(copy) == repr(graph)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Graph([]), lambda: Graph([(1, 2, 3)]), lambda: Graph(["ab"]),
        lambda: Graph({"a": "bc"}), lambda: Graph({"a": 3}), lambda: Graph([([], 1)]),
        lambda: Graph(7), lambda: Graph.small_world(5, 3, 0.1, 0),
        lambda: Graph.scale_free(3, 3, 0),
        lambda: Graph([(0, 1)]).check(2), lambda: Graph([(0, 1)]).check(True),
        lambda: Graph([(0, 1)]).check((0, 1)), lambda: Graph([(0, 1)]).toward(0, 1, 0.5),
    ],
)  # fmt: skip
def test_what_is_no_graph_or_node_is_refused(make):
    with pytest.raises(errors.SpaceError):
        make()
