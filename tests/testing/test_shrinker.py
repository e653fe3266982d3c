"""Making cases smaller: what comes out fails, and no single thing can be left out of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import Action, Agent, Grid, Simulation
from headway.testing import (
    Case,
    Difference,
    NotAsLockstepError,
    Setup,
    assert_same_as_lockstep,
)
from headway.testing.shrink import TRIES, Shrinker

NAMES = tuple(f"a{i}" for i in range(9))
CHILDREN = ("a1.child", "a2.child")
WHATS = ("start", "end", "answer 0")


class Trial:
    """Shrinks a case by a rule for which cases fail, and remembers what was tried."""

    def __init__(self, fails, case, *, tries=TRIES, order=None):
        self.fails, self.tried = fails, []
        assert fails(case)
        used = dict(case.late)
        given = case if order is None else replace(case, order=order, late=())
        self.case, self.shown = Shrinker(self._difference, NAMES, tries).shrink(
            given, self._shown(given), used
        )
        self.complete = len(self.tried) < tries

    def _shown(self, case):
        return Difference(case.steps - 1, None, f"{case}", "", "")

    def _difference(self, case):
        self.tried.append(case)
        return self._shown(case) if self.fails(case) else None


def smaller_by_one(case):
    """Return the cases in which one thing less is given."""
    if case.steps > 1:
        yield replace(case, steps=case.steps - 1)
    if case.cut is not None:
        yield replace(case, cut=None)
    names = case.agents or NAMES
    for name in names:
        if len(names) > 1:
            late = tuple(each for each in case.late if each[0][0] != name)
            yield replace(case, agents=tuple(n for n in names if n != name), late=late)
    for at in range(len(case.late)):
        yield replace(case, late=case.late[:at] + case.late[at + 1 :])


def in_order(case):
    return replace(case, late=tuple(sorted(case.late)))


def size(case):
    return (
        len(case.agents or NAMES) + len(case.late) + case.steps + (case.cut or 0)
        + (case.cut is not None)
    )  # fmt: skip


MOMENTS = st.tuples(st.sampled_from(NAMES + CHILDREN), st.integers(0, 19), st.sampled_from(WHATS))
LATE = st.dictionaries(MOMENTS, st.sampled_from([0.5, 1.0, 9.0]), max_size=12)
GIVEN = st.builds(
    lambda late, cut: Case(0, 20, late=tuple(sorted(late.items())), cut=cut),
    LATE,
    st.none() | st.integers(1, 60),
)


@st.composite
def needs(draw):
    """Draw a case, and what of it is needed to fail."""
    case = draw(GIVEN)
    late = draw(st.sets(st.sampled_from(case.late), max_size=4)) if case.late else set()
    agents = draw(st.sets(st.sampled_from(NAMES), max_size=4))
    agents |= {moment[0] for moment, _ in late if moment[0] in NAMES}
    steps = draw(st.integers(1, 20))
    cut = draw(st.none() | st.integers(1, case.cut)) if case.cut else None
    return case, late, agents, steps, cut


@given(needs())
def test_what_is_needed_stays_and_nothing_else(needed):
    case, late, agents, steps, cut = needed

    def fails(tried):
        return (
            late <= set(tried.late)
            and agents <= set(tried.agents or NAMES)
            and tried.steps >= steps
            and (cut is None or (tried.cut is not None and tried.cut >= cut))
        )

    trial = Trial(fails, case)
    assert trial.complete
    assert set(trial.case.late) == late
    assert set(trial.case.agents) == agents if agents else len(trial.case.agents) == 1
    assert trial.case.steps == steps
    assert trial.case.cut == cut


@given(needs(), st.integers(0, 2**32))
def test_an_order_is_taken_apart_into_its_delays(needed, order):
    case, late, agents, steps, _ = needed
    case = replace(case, cut=None)

    def fails(tried):
        as_given = tried.order == order or late <= set(tried.late)
        return as_given and agents <= set(tried.agents or NAMES) and tried.steps >= steps

    trial = Trial(fails, case, order=order)
    assert trial.case.order is None
    assert set(trial.case.late) == late


@given(GIVEN, st.integers(0, 2**32), st.sampled_from([0.3, 0.7, 0.95]))
def test_whatever_fails_what_comes_out_fails_and_no_single_thing_can_be_left_out(
    case, seed, likely
):
    def fails(tried):
        # In which order the delays are told makes no difference.
        same = in_order(tried)
        return same == in_order(case) or Random(f"{seed} {same.to_json()}").random() < likely

    trial = Trial(fails, case)
    assert fails(trial.case)
    assert trial.case == case or trial.case in trial.tried, "it has been run"
    assert trial.shown.what == str(trial.case), "what is told is what it shows"
    assert len(trial.tried) <= TRIES
    assert trial.case.seed == case.seed
    assert all(size(tried) <= size(case) for tried in trial.tried)
    if trial.complete:
        assert not [one for one in smaller_by_one(trial.case) if fails(one)]
        again = Trial(fails, trial.case)
        assert again.case == trial.case, "what has been made small stays as it is"


@given(GIVEN, st.integers(0, 30))
def test_it_stays_within_the_runs_it_is_allowed(case, tries):
    trial = Trial(lambda tried: True, case, tries=tries)
    assert len(trial.tried) <= tries
    assert (trial.case == case) == (tries == 0 or not trial.tried)


@given(GIVEN)
def test_a_case_that_only_fails_as_it_is_stays_as_it_is(case):
    trial = Trial(lambda tried: tried == case, case)
    assert trial.case == case
    assert trial.complete


@given(GIVEN)
def test_nothing_is_tried_twice(case):
    trial = Trial(lambda tried: len(tried.late) >= len(case.late) // 2, case)
    assert len(set(trial.tried)) == len(trial.tried)
    assert case not in trial.tried


def test_delays_of_children_stay_while_their_parents_do():
    late = {("a1.child", 5, "start"): 1.0, ("a7", 2, "end"): 1.0}
    case = Case(0, 20, late=tuple(late.items()))

    def fails(tried):
        return "a1" in (tried.agents or NAMES) and tried.late[:1] == case.late[:1]

    assert Trial(fails, case).case == Case(0, 1, agents=("a1",), late=case.late[:1])


def test_delays_that_come_late_are_brought_forward():
    case = Case(0, 20, late=((("a1", 15, "start"), 1.0), (("a2", 17, "end"), 2.0)))

    def fails(tried):
        steps = [moment[1] for moment, _ in tried.late]
        return len(steps) == 2 and steps[1] - steps[0] == 2 and tried.steps > steps[1]

    small = Trial(fails, case).case
    assert [moment[1] for moment, _ in small.late] == [0, 2]
    assert small.steps == 3


# With real runs.


class Quarrelsome(Agent):
    """Shares a list; what it publishes depends on who was faster, from some step on."""

    def __init__(self, name, position, shared):
        super().__init__(name, position)
        self.shared = shared

    def step(self, view):
        if view.step < 3 or self.name not in {"p2", "p5"}:
            return Action(state=view.step)
        self.shared.append(self.name)
        return Action(state=self.shared[0])


def quarrel(seed):
    shared = []
    people = [Quarrelsome(f"p{i}", (9 * i, 0), shared) for i in range(7)]
    return Simulation(Grid(90, 9), people, seed=seed)


@pytest.mark.parametrize("interrupt", [False, True])
def test_a_real_case_comes_out_as_small_as_it_can_be(interrupt):
    with pytest.raises(NotAsLockstepError) as caught:
        assert_same_as_lockstep(quarrel, seeds=3, steps=12, interrupt=interrupt)
    case = caught.value.case
    assert set(case.agents) == {"p2", "p5"}
    assert case.cut is None
    assert len(case.late) <= 1
    assert case.steps <= 5


def test_a_case_that_needs_the_interruption_keeps_it():
    class Impatient(Agent):
        """Changes itself although it may be executed again, without `restore`."""

        def __init__(self, name, position):
            super().__init__(name, position)
            self.times = 0

        async def step(self, view):
            self.times += 1
            await view.llm.chat("wait for me")
            return Action(state=self.times)

    def make(seed):
        return Setup(
            Simulation(Grid(90, 9), [Impatient(f"p{i}", (9 * i, 0)) for i in range(5)], seed=seed)
        )

    assert assert_same_as_lockstep(make, seeds=2, steps=6).overtaken
    with pytest.raises(NotAsLockstepError) as caught:
        assert_same_as_lockstep(make, seeds=4, steps=6, interrupt=True)
    case = caught.value.case
    assert case.cut is not None
    assert len(case.agents) <= 2
    assert "interrupted after" in str(caught.value)
    with pytest.raises(NotAsLockstepError):
        assert_same_as_lockstep(make, case=case)
