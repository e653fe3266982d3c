"""Arrays and lists that another thread writes to while a call reads them: never worse than torn."""

from __future__ import annotations

import numpy as np
import pytest
from together import together

from headway import PositionHistory, Scheduler, errors
from headway._core import Graph, VirtualServer

ROUNDS = 150
AGENTS = 40


def strided(rows):
    return np.repeat(rows, 2, axis=0)[::2]


def fields(rows):
    """Numbers at odd addresses, as in a packed record."""
    record = np.zeros(len(rows), np.dtype([("odd", "u1"), ("place", rows.dtype, rows.shape[1:])]))
    record["place"] = rows
    return record["place"]


FORMS = {
    "int64": lambda rows: rows,
    "int32": lambda rows: rows.astype(np.int32),
    "uint8": lambda rows: rows.astype(np.uint8),
    "other byte order": lambda rows: rows.astype(">i4"),
    "strided": strided,
    "by column": np.asfortranarray,
    "packed": fields,
}


def flicker(array, one, other):
    """Write to an array until the others have ended."""

    def write():
        array[...] = one
        array[...] = other

    return write


@pytest.mark.parametrize("form", FORMS)
def test_positions_are_old_or_new_each(form):
    here = np.stack([np.arange(AGENTS) * 5, np.zeros(AGENTS, int)], axis=1)
    there = here + 1
    given = FORMS[form](here.copy())
    s = Scheduler(here, sight=1, speed=1)
    h = PositionHistory(here)
    ids = np.arange(AGENTS)

    def run():
        for step in range(ROUNDS):
            s.start(ids)
            s.finish(ids, given)
            h.move(ids, np.full(AGENTS, step + 1), given)
            for rows in (s.positions, h.positions(ids, np.full(AGENTS, step + 1))):
                assert ((rows == here) | (rows == there)).all()

    together(run, watching=(flicker(given, here, there),))
    s.validate()
    h.validate()


def test_coordinates_are_old_or_new_each():
    here = np.stack([np.arange(AGENTS) * 5.0, np.zeros(AGENTS)], axis=1)
    there = here + 0.5
    given = here.copy()
    s = Scheduler(here, sight=1, speed=1)
    ids = np.arange(AGENTS)

    def run():
        for _ in range(ROUNDS):
            s.start(ids)
            s.finish(ids, given)
            assert ((s.positions == here) | (s.positions == there)).all()

    together(run, watching=(flicker(given, here, there),))
    s.validate()


@pytest.mark.parametrize("form", ["int64", "int32", "strided", "a list"])
def test_ids_are_taken_as_they_are_read_or_refused(form):
    forth = np.arange(AGENTS)
    back = forth[::-1].copy()
    given = forth.tolist() if form == "a list" else FORMS[form](forth.copy())
    s = Scheduler(np.stack([forth * 9, forth], axis=1), sight=1, speed=1)

    def run():
        for _ in range(ROUNDS):
            try:
                s.start(given)
            except errors.DuplicateAgentError:
                assert {s.status(agent) for agent in range(AGENTS)} == {"ready"}
            else:
                s.finish(forth, s.positions)

    if form == "a list":
        together(run, watching=(given.reverse,))
    else:
        together(run, watching=(flicker(given, forth, back),))
    s.validate()


def test_a_list_that_grows_and_shrinks_is_taken_or_refused():
    given = [[0, 0], [9, 9]]

    def change():
        given.append([5, 5])
        given.pop()

    def run():
        for _ in range(ROUNDS):
            try:
                s = Scheduler(given, sight=1, speed=1)
            except errors.ArrayShapeError:
                continue
            assert len(s) in {2, 3}

    together(run, watching=(change,))


def test_what_makes_an_object_is_old_or_new_each():
    ones, twos = np.ones(AGENTS, int), np.full(AGENTS, 2)
    numbers, ends = ones.copy(), np.zeros(AGENTS, int)
    places = np.stack([np.arange(AGENTS) * 100, ones], axis=1)

    def run():
        for _ in range(ROUNDS):
            s = Scheduler(places, sight=numbers, speed=numbers, reach=twos, worlds=numbers)
            s.validate()
            graph = Graph(np.arange(AGENTS + 1), ends)
            assert graph.neighbours(AGENTS - 1).tolist() in ([0], [1], [0, 1])
            server = VirtualServer(1, t0=0.1, p=0.001, d=0.01, max_sequences=4, token_budget=500)
            assert len(server.submit(numbers, numbers, numbers)) == AGENTS
            assert set(server.lone_latency(numbers, numbers).tolist()) <= latencies

    server = VirtualServer(1, t0=0.1, p=0.001, d=0.01, max_sequences=4, token_budget=500)
    pairs = ([1, 1, 2, 2], [1, 2, 1, 2])
    latencies = set(server.lone_latency(*pairs).tolist())
    together(run, watching=(flicker(numbers, ones, twos), flicker(ends, 0, 1)))
