"""The state of a place at a step is what replaying all writes of earlier steps gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import OptionError, PlaceRuleError, ValueTypeError
from headway.world import Place, thaw
from headway.world.places import RULES, Versions

LAST = 8


def collect(state, writes):
    return [*(state or ()), *[f"{agent}={value}" for agent, value in writes]]


def replay(rule, writes, step):
    """Return the state at a step from all writes there ever were, naively."""
    rule, state = RULES.get(rule, rule), None
    for now in range(step):
        together = sorted((rank, agent, value) for at, rank, agent, value in writes if at == now)
        if together:
            state = rule(state, tuple((agent, value) for _, agent, value in together))
    return state


@st.composite
def histories(draw):
    """Writes of up to five agents at several steps, in the order they arrive, and reads between.

    An agent's own writes arrive in the order of its steps; those of others anyhow.
    """
    clocks = [0] * draw(st.integers(1, 5))
    happenings = []
    while min(clocks) < LAST:
        agent = draw(st.sampled_from([a for a, clock in enumerate(clocks) if clock < LAST]))
        if draw(st.booleans()):
            value = draw(st.sampled_from([None, False, True, 7, "x"]))
            happenings.append(("write", clocks[agent], agent, value))
        clocks[agent] += 1
        happenings.append(("frontier", min(clocks), None, None))
        if draw(st.integers(0, 3)) == 0:
            # Read at steps that cannot be written before any more by the agents.
            happenings.append(("read", min(clocks), None, None))
    return happenings


@given(histories(), st.sampled_from(["last", "first", "claim", collect]), st.data())
def test_a_place_is_what_replaying_all_its_writes_gives(history, rule, data):
    versions = Versions(Place("it", (0, 0), rule=rule))
    writes, frontier = [], 0
    for what, step, agent, value in history:
        if what == "write":
            writes.append((step, (agent,), f"a{agent}", value))
            versions.write(*writes[-1])
        elif what == "frontier" and step > frontier:
            frontier = step
            nothing_left = versions.forget(frontier)
            assert nothing_left == all(at < frontier for at, *_ in writes)
        # Whatever has arrived counts, wherever one looks.
        looked_at = data.draw(st.integers(frontier, LAST))
        assert thaw(versions.state(looked_at)) == _as_json(replay(rule, writes, looked_at))
    assert thaw(versions.state(LAST)) == _as_json(replay(rule, writes, LAST))
    assert versions.forget(LAST)
    assert len(versions._writes) == 0


def _as_json(state):
    return thaw(tuple(state)) if isinstance(state, list) else state


@given(st.permutations(range(6)), st.sampled_from(["last", "first", "claim", collect]))
def test_the_order_in_which_writes_arrive_does_not_matter(order, rule):
    writes = [(step, (rank,), f"a{rank}", rank) for step in range(2) for rank in range(3)]
    versions = Versions(Place("it", (0, 0), rule=rule))
    for number in order:
        versions.write(*writes[number])
        versions.state(2)  # what is cached now must not be believed later
        versions.state(1)
    assert thaw(versions.state(2)) == _as_json(replay(rule, writes, 2))
    assert thaw(versions.state(1)) == _as_json(replay(rule, writes, 1))
    assert thaw(versions.state(0)) is None


def test_children_write_after_their_parent_and_before_the_next_agent():
    versions = Versions(Place("it", (0, 0), rule=collect))
    for rank, agent in (((1,), "next"), ((0, 3, 1), "second"), ((0,), "parent"),
                        ((0, 3, 0), "first"), ((0, 3, 0, 4, 0), "grandchild")):  # fmt: skip
        versions.write(5, rank, agent, 1)
    assert versions.state(6) == ("parent=1", "first=1", "grandchild=1", "second=1", "next=1")


@pytest.mark.parametrize(
    ("holder", "writes", "then"),
    [
        (None, [("a", True)], "a"),
        (None, [("a", True), ("b", True)], "a"),
        ("b", [("a", True)], "b"),
        ("b", [("a", None)], "b"),
        ("b", [("b", None)], None),
        ("b", [("a", True), ("b", False)], None),
        ("a", [("a", False), ("b", True)], "b"),
        (None, [("a", True), ("a", False)], None),
    ],
)
def test_a_claim_is_held_by_one_until_it_gives_it_back(holder, writes, then):
    assert RULES["claim"](holder, tuple(writes)) == then


@pytest.mark.parametrize(("rule", "then"), [("last", 3), ("first", 1)])
def test_of_the_writes_of_a_step_the_last_or_the_first_counts(rule, then):
    versions = Versions(Place("it", (0, 0), state=0, rule=rule))
    for rank in (2, 1, 3):
        versions.write(0, (rank,), f"a{rank}", rank)
    assert [versions.state(step) for step in (0, 1, 2)] == [0, then, then]


def test_a_place_says_what_is_wrong_with_it():
    with pytest.raises(OptionError, match="no rule 'latest'; there are last, first, claim"):
        Versions(Place("it", (0, 0), rule="latest"))
    with pytest.raises(ValueTypeError, match="the state of place 'it' holds a set"):
        Versions(Place("it", (0, 0), state={1}))
    versions = Versions(Place("it", (0, 0), rule=lambda state, writes: {1}))
    versions.write(0, (0,), "a", 1)
    with pytest.raises(PlaceRuleError, match="what the rule of 'it' returns holds a set"):
        versions.state(1)


def test_a_rule_cannot_change_the_state_it_is_given():
    def rule(state, writes):
        state["changed"] = True

    versions = Versions(Place("it", (0, 0), state={"on": False}, rule=rule))
    versions.write(0, (0,), "a", 1)
    with pytest.raises(PlaceRuleError, match="writes of step 0: TypeError"):
        versions.state(1)
    assert dict(versions.state(0)) == {"on": False}
