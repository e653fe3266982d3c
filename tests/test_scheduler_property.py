"""After every event of random runs `Scheduler` agrees with the rules written out over all pairs.

`pytest --hypothesis-profile=thorough tests/test_scheduler_property.py` looks at many more runs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
)
from hypothesis.stateful import rule as event

from headway import Scheduler, errors
from reference_scheduler import ReferenceAgent, ReferenceScheduler

#: Real coordinates are these multiples of whole numbers: exact, rounded, and large.
UNITS = (0.125, 0.1, 1 / 3, 1000.3)
SEVERAL = st.integers(1, 2**8 - 1)


@dataclass(frozen=True)
class Space:
    """How whole numbers of the reference become what the scheduler is given."""

    unit: float | None
    metric: str
    wrap: tuple[int, int] | None
    size: int

    def length(self, whole):
        return whole if self.unit is None else whole * self.unit

    def places(self, wholes):
        array = np.array(wholes, np.int64).reshape(-1, 2)
        return array if self.unit is None else array * self.unit

    def drawn_place(self, draw) -> tuple[int, int]:
        top = (self.size, self.size) if self.wrap is None else self.wrap
        low = -self.size if self.wrap is None else 0
        return tuple(draw(st.integers(low, top[axis] - 1)) for axis in (0, 1))


@st.composite
def spaces(draw) -> Space:
    size = draw(st.sampled_from([4, 10, 30]))
    return Space(
        unit=draw(st.sampled_from([None, None, *UNITS])),
        metric=draw(st.sampled_from(["chebyshev", "manhattan", "euclidean"])),
        wrap=draw(st.sampled_from([None, None, (size, size + 3)])),
        size=size,
    )


@st.composite
def footprints(draw) -> tuple[int, int, int]:
    """Sight, speed, reach; reach is at least the speed."""
    speed = draw(st.integers(0, 2))
    return draw(st.integers(0, 5)), speed, speed + draw(st.integers(0, 2))


class EverySchedulerEvent(RuleBasedStateMachine):
    """Starts, finishes, joins, leaves and refused calls, in any order."""

    RULE = ""

    @initialize(space=spaces(), uniform=st.booleans(), worlds=st.integers(1, 2), data=st.data())
    def begin(self, space, uniform, worlds, data):
        draw = data.draw
        n = draw(st.integers(1, 9))
        common = draw(footprints())
        agents = []
        for _ in range(n):
            sight, speed, reach = common if uniform else draw(footprints())
            place = space.drawn_place(draw)
            world = draw(st.integers(0, worlds - 1))
            agents.append(ReferenceAgent(place, sight, speed, reach, world))
        self.space, self.worlds = space, worlds
        self.common = common if uniform else None
        self.reference = ReferenceScheduler(self.RULE, space.metric, space.wrap, agents)

        def column(name: str):
            values = [space.length(getattr(agent, name)) for agent in agents]
            return values[0] if uniform else np.array(values)

        self.scheduler = Scheduler(
            space.places([agent.position for agent in agents]),
            sight=column("sight"),
            speed=column("speed"),
            reach=column("reach"),
            metric=space.metric,
            wrap=space.wrap and tuple(space.length(size) for size in space.wrap),
            rule=self.RULE,
            worlds=None if worlds == 1 else [agent.world for agent in agents],
            story_capacity=500,
        )
        self.flights: list[list[int]] = []
        self.were_ready: set[int] = set()

    # What the tests know of the present state

    def of_status(self, *wanted: str) -> list[int]:
        everybody = range(len(self.reference.agents))
        return [a for a in everybody if self.reference.status(a) in wanted]

    def clusters_ready(self) -> list[list[int]]:
        return [c for c in map(self.reference.cluster, self.reference.ready()) if c]

    def facts(self) -> list:
        """Everything a caller can see of the scheduler."""
        s = self.scheduler
        return [
            len(s),
            s.frontier,
            s.ready().tolist(),
            s.clocks.tolist(),
            s.positions.tolist(),
            s.clusters(np.arange(len(s))).tolist(),
            [(s.status(a), s.held_up(a), [str(e) for e in s.story(a)]) for a in range(len(s))],
        ]

    def refuses(self, expected: type[errors.SchedulerError], call, *arguments, **options):
        before = self.facts()
        with pytest.raises(expected) as refusal:
            call(*arguments, **options)
        assert self.facts() == before, f"{refusal.value!r} has changed something"
        return refusal.value

    # Events

    @precondition(lambda self: self.reference.ready())
    @event(choice=SEVERAL)
    def start_some(self, choice):
        clusters = {c[0]: c for c in self.clusters_ready()}
        chosen = [c for i, c in enumerate(clusters.values()) if choice >> (i % 8) & 1]
        chosen = chosen or [next(iter(clusters.values()))]
        ids = [a for cluster in chosen for a in cluster]
        if choice % 3 == 0:
            ids.reverse()  # order within a batch does not matter
        self.scheduler.start(ids)
        for a in ids:
            self.reference.agents[a].running = True
        self.flights += chosen
        self.were_ready -= set(ids)

    @precondition(lambda self: self.flights)
    @event(choice=SEVERAL, data=st.data())
    def finish_some(self, choice, data):
        chosen = [f for i, f in enumerate(self.flights) if choice >> (i % 8) & 1]
        chosen = chosen or self.flights[:1]
        self.flights = [f for f in self.flights if f not in chosen]
        ids = [a for flight in chosen for a in flight]
        places = [self.drawn_move(a, data.draw) for a in ids]
        before = set(self.scheduler.ready().tolist())
        newly = self.scheduler.finish(ids, self.space.places(places)).tolist()
        for a, place in zip(ids, places, strict=True):
            agent = self.reference.agents[a]
            agent.position, agent.clock, agent.running = place, agent.clock + 1, False
        self.check_newly(before, newly)

    def drawn_move(self, a: int, draw) -> tuple[int, int]:
        agent = self.reference.agents[a]
        way = draw(st.tuples(*[st.integers(-agent.speed, agent.speed)] * 2))
        there = tuple(x + dx for x, dx in zip(agent.position, way, strict=True))
        if self.space.wrap is not None:
            there = tuple(x % size for x, size in zip(there, self.space.wrap, strict=True))
        near = self.reference.within(agent.position, there, agent.speed)
        return there if near else agent.position

    @precondition(lambda self: self.of_status("blocked", "held", "ready"))
    @event(data=st.data())
    def leave(self, data):
        idle = self.of_status("blocked", "held", "ready")
        ids = data.draw(st.lists(st.sampled_from(idle), min_size=1, max_size=2, unique=True))
        before = set(self.scheduler.ready().tolist()) - set(ids)
        newly = self.scheduler.remove(ids).tolist()
        for a in ids:
            self.reference.agents[a].present = False
        self.were_ready -= set(ids)
        self.check_newly(before, newly)

    @precondition(lambda self: len(self.reference.agents) < 14)
    @event(data=st.data(), later=st.sampled_from([None, -1, 0, 0, 1, 3]))
    def join(self, data, later):
        like = data.draw(st.sampled_from(self.reference.agents))
        place = self.space.drawn_place(data.draw)
        world = data.draw(st.integers(0, self.worlds - 1))
        newcomer = replace(like, position=place, world=world, running=False, present=True)
        length = self.space.length
        options = {name: length(getattr(like, name)) for name in ("sight", "speed", "reach")}
        options["world"] = world
        at = self.scheduler.frontier
        if later is None:
            at = None
            if self.common is not None and data.draw(st.booleans()):
                # The first agents' common footprint need not be repeated.
                del options["sight"], options["speed"], options["reach"]
                newcomer = replace(
                    newcomer, **dict(zip(("sight", "speed", "reach"), self.common, strict=True))
                )
        else:
            at = max(at + later, 0)
        position = self.space.places([place])[0]
        before = self.facts()
        try:
            agent, step = self.scheduler.add(position, at=at, **options)
        except (errors.JoinsTooEarlyError, errors.JoinsAheadError) as refusal:
            assert self.facts() == before, f"{refusal!r} has changed something"
            assert refusal.agent == len(self.reference.agents)
            if isinstance(refusal, errors.JoinsTooEarlyError):
                assert at is not None and refusal.step == at < refusal.earliest
            else:
                assert self.RULE == "compatibility"
                behind = self.reference.agents[refusal.behind]
                assert behind.present and behind.clock == refusal.clock < refusal.step
            return
        assert agent == len(self.reference.agents)
        assert at is None or step == at
        self.reference.agents.append(replace(newcomer, clock=step))
        assert self.scheduler.positions[agent].tolist() == position.tolist()

    # Refused calls

    @precondition(lambda self: self.of_status("blocked", "held"))
    @event(data=st.data())
    def blocked_agents_are_not_started(self, data):
        a = data.draw(st.sampled_from(self.of_status("blocked", "held")))
        error = self.refuses(errors.BlockedError, self.scheduler.start, [a])
        assert (error.agent, error.clock) == (a, self.reference.agents[a].clock)
        if self.reference.status(a) == "held":
            assert error.witness is None and error.until is None
        else:
            assert error.witness in self.reference.blockers(a)
            assert self.reference.agents[error.witness].clock < error.until <= error.clock

    @precondition(lambda self: self.of_status("running"))
    @event(data=st.data())
    def running_agents_are_neither_started_nor_removed(self, data):
        a = data.draw(st.sampled_from(self.of_status("running")))
        ready = self.of_status("ready")[:1] if self.RULE == "conservative" else []
        for call in (self.scheduler.start, self.scheduler.remove):
            error = self.refuses(errors.RunningError, call, [*ready, a])
            assert error.agent == a

    @precondition(lambda self: self.of_status("blocked", "held", "ready"))
    @event(data=st.data())
    def idle_agents_do_not_finish(self, data):
        a = data.draw(st.sampled_from(self.of_status("blocked", "held", "ready")))
        flight = self.flights[0] if self.flights else []
        ids = [*flight, a]
        places = self.space.places([self.reference.agents[b].position for b in ids])
        error = self.refuses(errors.NotRunningError, self.scheduler.finish, ids, places)
        assert error.agent == a

    @precondition(lambda self: self.flights)
    @event(extra=st.integers(1, 9))
    def a_move_beyond_speed_refuses_the_whole_batch(self, extra):
        ids = self.flights[0]
        places = [self.reference.agents[a].position for a in ids]
        last = self.reference.agents[ids[-1]]
        x = places[-1][0] + last.speed + extra
        places[-1] = (x if self.space.wrap is None else x % self.space.wrap[0], places[-1][1])
        assume(not self.reference.within(last.position, places[-1], last.speed))
        error = self.refuses(
            errors.OverSpeedError, self.scheduler.finish, ids, self.space.places(places)
        )
        assert (error.agent, error.clock) == (ids[-1], last.clock)
        assert error.speed == pytest.approx(self.space.length(last.speed))
        assert error.distance > error.speed

    @precondition(lambda self: any(len(c) > 1 for c in self.clusters_ready() + self.flights))
    @event(data=st.data())
    def parts_of_a_cluster_are_refused(self, data):
        clusters = [c for c in self.clusters_ready() + self.flights if len(c) > 1]
        cluster = data.draw(st.sampled_from(clusters))
        left_out = data.draw(st.sampled_from(cluster))
        part = [a for a in cluster if a != left_out]
        if self.reference.agents[part[0]].running:
            places = self.space.places([self.reference.agents[a].position for a in part])
            call, arguments = self.scheduler.finish, (part, places)
        else:
            call, arguments = self.scheduler.start, (part,)
        error = self.refuses(errors.PartialClusterError, call, *arguments)
        assert error.agent in part and (error.given, error.size) == (len(part), len(cluster))

    @precondition(lambda self: self.of_status("left"))
    @event(data=st.data())
    def those_who_left_do_nothing_any_more(self, data):
        a = data.draw(st.sampled_from(self.of_status("left")))
        place = self.space.places([self.reference.agents[a].position])
        for call, arguments in (
            (self.scheduler.start, ([a],)),
            (self.scheduler.finish, ([a], place)),
            (self.scheduler.remove, ([a],)),
            (self.scheduler.blockers, (a,)),
        ):
            error = self.refuses(errors.AgentLeftError, call, *arguments)
            assert (error.agent, error.clock) == (a, self.reference.agents[a].clock)

    @event(choice=SEVERAL)
    def doubles_and_strangers_are_refused(self, choice):
        stranger = len(self.reference.agents) + choice
        error = self.refuses(errors.UnknownAgentError, self.scheduler.start, [stranger])
        assert (error.agent, error.agents) == (stranger, len(self.reference.agents))
        for cluster in self.clusters_ready()[:1]:
            batch = [*cluster, cluster[0]]
            error = self.refuses(errors.DuplicateAgentError, self.scheduler.start, batch)
            assert error.agent == cluster[0]
            self.refuses(errors.DuplicateAgentError, self.scheduler.remove, batch)
        for flight in self.flights[:1]:
            batch = [*flight, flight[-1]]
            places = self.space.places([self.reference.agents[a].position for a in batch])
            self.refuses(errors.DuplicateAgentError, self.scheduler.finish, batch, places)

    # What holds after every event

    def order(self, a: int) -> tuple:
        """By clock, then how many the cluster's busiest holds up, then id; clusters together."""
        cluster = self.reference.cluster(a)
        busiest = max(self.scheduler.held_up(b) for b in cluster)
        return self.reference.agents[a].clock, -busiest, cluster[0], a

    def check_newly(self, before: set[int], newly: list[int]):
        """The newly ready are those ready now that were not before, in the order of `ready`."""
        assert len(newly) == len(set(newly))
        now = self.scheduler.ready().tolist()
        assert before | set(newly) == set(now) and not before & set(newly)
        assert newly == [a for a in now if a in newly]

    @invariant()
    def the_scheduler_equals_the_reference(self):
        scheduler, reference = self.scheduler, self.reference
        scheduler.validate()
        everybody = range(len(reference.agents))
        assert len(scheduler) == len(everybody)
        assert scheduler.clocks.tolist() == [agent.clock for agent in reference.agents]
        np.testing.assert_array_equal(
            scheduler.positions, self.space.places([agent.position for agent in reference.agents])
        )
        assert [scheduler.status(a) for a in everybody] == [reference.status(a) for a in everybody]
        for a in everybody:
            if reference.agents[a].present:
                assert scheduler.blockers(a).tolist() == reference.blockers(a)
        labels = scheduler.clusters(everybody).tolist()
        for a, label in zip(everybody, labels, strict=True):
            together = reference.status(a) in ("ready", "running")
            assert label == (reference.cluster(a)[0] if together else a)

    @invariant()
    def ready_agents_are_in_order_and_somebody_can_always_go(self):
        ready = self.scheduler.ready().tolist()
        assert sorted(ready) == self.reference.ready()
        assert ready == sorted(ready, key=self.order)
        frontier = self.reference.frontier()
        if frontier is not None:
            assert self.scheduler.frontier == frontier
            assert ready or self.flights, "nobody can go"

    @invariant()
    def once_ready_an_agent_stays_ready(self):
        ready = set(self.scheduler.ready().tolist())
        if self.RULE == "conservative":
            assert self.were_ready <= ready
        self.were_ready = ready

    @invariant()
    def a_blocked_agent_is_held_up_by_somebody(self):
        counts = [self.scheduler.held_up(a) for a in range(len(self.scheduler))]
        blocked = self.of_status("blocked")
        assert sum(count > 0 for count in counts) <= len(self.reference.agents) - bool(blocked)
        assert bool(blocked) == any(counts)
        assert all(count <= len(blocked) for count in counts)


class ConservativeEvents(EverySchedulerEvent):
    RULE = "conservative"


class CompatibilityEvents(EverySchedulerEvent):
    RULE = "compatibility"


patience = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=40)
TestConservativeSchedulerEqualsTheReference = ConservativeEvents.TestCase
TestConservativeSchedulerEqualsTheReference.settings = patience
TestCompatibilitySchedulerEqualsTheReference = CompatibilityEvents.TestCase
TestCompatibilitySchedulerEqualsTheReference.settings = patience


def random_run(rule: str, seed: int, events: int = 150) -> int:
    """Run fair choices of one seed, checked against the reference; return the largest lead."""
    random = np.random.default_rng(seed)
    n, size = int(random.integers(2, 11)), int(random.choice([5, 15, 40]))
    metric = ["chebyshev", "manhattan", "euclidean"][random.integers(3)]
    speeds = random.integers(0, 3, n)
    agents = [
        ReferenceAgent(
            tuple(random.integers(0, size, 2).tolist()),
            int(random.integers(0, 5)),
            int(speed),
            int(speed + random.integers(0, 2)),
        )
        for speed in speeds
    ]
    reference = ReferenceScheduler(rule, metric, None, agents)
    scheduler = Scheduler(
        [agent.position for agent in agents],
        sight=[agent.sight for agent in agents],
        speed=[agent.speed for agent in agents],
        reach=[agent.reach for agent in agents],
        metric=metric,
        rule=rule,
    )
    flights: list[list[int]] = []
    lead = 0
    for _ in range(events):
        assert sorted(scheduler.ready().tolist()) == reference.ready(), f"seed {seed}"
        lead = max(lead, int(scheduler.clocks.max()) - scheduler.frontier)
        if not flights or (reference.ready() and random.random() < 0.5):
            flights.append(reference.cluster(int(random.choice(reference.ready()))))
            scheduler.start(flights[-1])
            for a in flights[-1]:
                agents[a].running = True
            continue
        flight = flights.pop(int(random.integers(len(flights))))
        for a in flight:
            agent = agents[a]
            way = random.integers(-agent.speed, agent.speed + 1, 2).tolist()
            there = tuple(x + dx for x, dx in zip(agent.position, way, strict=True))
            if reference.within(agent.position, there, agent.speed):
                agent.position = there
            agent.clock, agent.running = agent.clock + 1, False
        scheduler.finish(flight, [agents[a].position for a in flight])
        scheduler.validate()
    return lead


@pytest.mark.parametrize("rule", ["conservative", "compatibility"])
def test_long_random_runs_equal_the_reference_and_agents_do_overtake_each_other(rule):
    leads = [random_run(rule, seed) for seed in range(20)]
    assert sum(lead > 1 for lead in leads) >= 10


def test_the_reference_blocks_at_the_bound_of_the_rule_and_not_beyond():
    for rule, bound in (("conservative", 5), ("compatibility", 6)):
        for distance, lag in itertools.product(range(12), (1, 2, 3)):
            ahead = ReferenceAgent((0, 0), 4, 1, 1, clock=lag)
            behind = ReferenceAgent((distance, 0), 4, 1, 1)
            pair = ReferenceScheduler(rule, "chebyshev", None, [ahead, behind])
            assert pair.blocks(0, 1) == (distance <= bound + lag - 1)
            assert not pair.blocks(1, 0)
