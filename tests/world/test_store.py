"""The world tells of every step what was so then, in a fixed order, and forgets what is over."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from headway.errors import OptionError, SpaceError
from headway.space import Grid
from headway.world import Place, World
from headway.world.store import Message, Utterance


def small(count=3, places=()):
    positions = np.array([(2 * i, 0) for i in range(count)])
    return World(Grid(50, 50), positions, places, sight=4)


def test_a_public_state_is_the_one_of_its_step():
    world = small()
    world.publish(0, "calm", 0)
    world.publish(0, "hungry", 3)
    world.publish(0, "full", 4)
    assert [world.state(0, step) for step in range(6)] == [
        "calm", "calm", "calm", "hungry", "full", "full"
    ]  # fmt: skip
    assert world.state(1, 5) is None


def test_a_public_state_is_kept_as_long_as_somebody_may_read_it():
    world = small()
    for step in range(100):
        world.forget(max(0, step - 3))
        world.publish(0, step, step)
        for past in range(max(0, step - 3), step + 1):
            assert world.state(0, past) == past
        assert len(world._states[0]) <= 6


def test_words_are_heard_in_one_step_only():
    world = small()
    for step in (2, 3, 7):
        world.say(0, Utterance("a", f"at {step}", ()), step)
    heard = [world.said(0, step) for step in range(9)]
    assert [words and words.text for words in heard] == [
        None, None, "at 2", "at 3", None, None, None, "at 7", None
    ]  # fmt: skip
    for step in range(8, 60):
        world.forget(step - 1)
        world.say(0, Utterance("a", "again", ()), step)
    assert len(world._said[0]) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_messages_come_in_the_order_of_senders_and_then_as_they_were_sent(seed):
    world, chance = small(), Random(seed)
    letters = [((rank,), number) for rank in range(4) for number in range(2)]
    letters += [((1, 5, 0), 0), ((1, 5, 1), 0)]
    chance.shuffle(letters)
    for rank, number in letters:
        world.send(rank, number, Message(str(rank), number), 2, 6)
    expected = [Message(str(rank), number) for rank, number in sorted(letters)]
    assert list(world.inbox(2, 6)) == expected
    assert world.inbox(2, 5) == world.inbox(2, 7) == world.inbox(1, 6) == ()
    world.read_before([2], [0, 0, 6])
    assert list(world.inbox(2, 6)) == expected
    world.read_before([2], [0, 0, 7])
    assert world.inbox(2, 6) == ()


def test_who_joins_and_leaves_is_there_in_between():
    world = small(2)
    newcomer = world.add((1, 0), "new", 3)
    world.leave([0], [5])
    there = [world.neighbours(1, step, 4) for step in range(7)]
    assert there == [[0], [0], [0], [0, newcomer], [0, newcomer], [newcomer], [newcomer]]
    assert world.state(newcomer, 3) == "new"


def test_places_are_found_by_distance_in_the_order_they_were_given():
    places = [Place("far", (9, 9)), Place("near", (1, 0)), Place("here", (0, 0))]
    world = small(1, places)
    assert world.places_near((0, 0), 4) == ["near", "here"]
    assert world.places_near((5, 5), 4) == ["far"]
    assert world.places_near((40, 40), 4) == []
    assert small(1).places_near((0, 0), 4) == []


def test_places_are_checked():
    with pytest.raises(OptionError, match="two places named 'a'"):
        small(1, [Place("a", (0, 0)), Place("a", (1, 0))])
    with pytest.raises(SpaceError, match="place 'a'"):
        small(1, [Place("a", (50, 0))])


@pytest.mark.parametrize("seed", range(8))
def test_every_step_that_may_be_read_is_as_a_full_history_has_it(seed):
    """Agents ahead and behind move, publish, talk and write; a naive world keeps everything."""
    chance, count, last = Random(seed), 5, 20
    where = [(chance.randrange(12), chance.randrange(12)) for _ in range(count)]
    places = [Place(f"place{i}", (i, i)) for i in range(3)]
    world = World(Grid(12, 12), np.array(where), places, sight=4)
    clocks = [0] * count
    positions = {(a, 0): where[a] for a in range(count)}
    states, said, writes = {}, {}, []

    def known(facts, agent, step, default=None):
        return next((facts[agent, s] for s in range(step, -1, -1) if (agent, s) in facts), default)

    while min(clocks) < last:
        agent = chance.choice([a for a in range(count) if clocks[a] < last])
        step, then = clocks[agent], clocks[agent] + 1
        if chance.random() < 0.5:
            x, y = known(positions, agent, step)
            there = (max(0, min(11, x + chance.randint(-1, 1))), y)
            if there != (x, y):
                positions[agent, then] = there
                world.move([agent], [then], [there])
        if chance.random() < 0.5:
            states[agent, then] = value = chance.randrange(99)
            world.publish(agent, value, then)
        if chance.random() < 0.3:
            said[agent, then] = words = Utterance(str(agent), f"{chance.random()}", ())
            world.say(agent, words, then)
        if chance.random() < 0.5:
            place, value = chance.choice(places).name, chance.randrange(99)
            writes.append((step, agent, place, value))
            world.write(place, step, (agent,), str(agent), value)
        clocks[agent] += 1
        world.forget(min(clocks))
        look = chance.randint(min(clocks), last)
        for other in range(count):
            if look <= clocks[other]:
                assert world.position(other, look) == known(positions, other, look)
                assert world.state(other, look) == known(states, other, look)
                assert world.said(other, look) == said.get((other, look))
        for place in places:
            written = [w for w in writes if w[2] == place.name and w[0] < look]
            expected = max(written, key=lambda w: w[:2])[3] if written else None
            assert world.place_state(place.name, look) == expected
    assert not world._written, "everything is settled when everybody is there"
