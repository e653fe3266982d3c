"""Worlds run out of order through `Scheduler` end in the state that lock-step gives.

Every place, value, cell and message of every agent at every step is compared. `HEADWAY_SEED=17`
runs one seed, `HEADWAY_SEEDS=5000` runs more.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from headway import Scheduler, errors
from small_worlds import Effects, Footprint, InPlace, Join, Leave, Setting, State, Versioned, World
from small_worlds import lockstep as in_step


def seeds(count: int) -> range:
    only = os.environ.get("HEADWAY_SEED")
    if only is not None:
        return range(int(only), int(only) + 1)
    return range(int(os.environ.get("HEADWAY_SEEDS", count)))


class OutOfOrder:
    """One run: agents start, read, finish, join and leave in random order."""

    def __init__(
        self, kind: type[World], rule: str, setting: Setting, *, told_sight: int = 0
    ) -> None:
        self.random = Random(setting.seed ^ 0xABCD)
        self.rule, self.setting, self.told_sight = rule, setting, told_sight
        self.world = kind()
        for agent, state in enumerate(setting.starts):
            self.world.join(Join(agent, 0, state))
        self.scheduler = Scheduler(
            [state.place for state in setting.starts],
            sight=[self.told(footprint) for footprint in setting.footprints],
            speed=[footprint.speed for footprint in setting.footprints],
            reach=[footprint.reach for footprint in setting.footprints],
            metric=setting.metric,
            wrap=setting.wrap and (setting.wrap, setting.wrap),
            rule=rule,
        )
        self.changes: list[Join | Leave] = []
        self.flights: list[dict[int, Effects | None]] = []
        self.lead = self.waits = 0
        # One agent is slow, so that the others have somebody to overtake.
        self.slow = self.random.randrange(len(setting.starts))

    def told(self, footprint: Footprint) -> int:
        return max(footprint.sight + self.told_sight, 0)

    def is_idle(self, agent: int) -> bool:
        return self.scheduler.status(agent) in ("ready", "held", "blocked")

    def clock(self, agent: int) -> int:
        return int(self.scheduler.clocks[agent])

    def run(self) -> World:
        while True:
            ready = self.scheduler.ready()
            ready = ready[self.scheduler.clocks[ready] < self.setting.steps].tolist()
            if not ready and not self.flights:
                return self.world
            if self.random.random() < 0.07:
                self.leave() if self.random.random() < 0.4 else self.join()
            elif ready and (not self.flights or self.random.random() < 0.5):
                self.start(ready)
            else:
                self.go_on_with(self.random.choice(self.flights))

    def start(self, ready: list[int]) -> None:
        chosen = self.random.choice(ready)
        labels = self.scheduler.clusters(ready).tolist()
        label = labels[ready.index(chosen)]
        cluster = [a for a, other in zip(ready, labels, strict=True) if other == label]
        self.scheduler.start(cluster)
        self.flights.append(dict.fromkeys(cluster))

    def go_on_with(self, flight: dict[int, Effects | None]) -> None:
        if self.slow in flight and len(self.flights) > 1 and self.random.random() < 0.8:
            return
        # Reads happen at a random moment of the step.
        unread = [agent for agent, effects in flight.items() if effects is None]
        if unread:
            agent = self.random.choice(unread)
            flight[agent] = self.world.read_and_act(self.setting, agent, self.clock(agent))
            return
        self.flights.remove(flight)
        places = []
        for agent, effects in sorted(flight.items()):
            assert effects is not None
            step = self.clock(agent)
            self.lead = max(self.lead, step - self.scheduler.frontier)
            self.world.commit(agent, step, effects)
            places.append(effects.state.place)
        newly = self.scheduler.finish(sorted(flight), places)
        self.waits += not set(flight) <= set(newly.tolist())

    def leave(self) -> None:
        idle = [a for a in range(len(self.scheduler)) if self.is_idle(a)]
        leavers = [a for a in idle if self.clock(a) < self.setting.steps]
        if not leavers:
            return
        agent = self.random.choice(leavers)
        step = self.clock(agent)
        self.scheduler.remove([agent])
        # In a versioned world the leaver is part of the snapshot of its clock.
        gone = step + 1 if self.rule == "conservative" else step
        leave = Leave(agent, step, gone)
        self.world.leave(leave)
        self.changes.append(leave)

    def join(self) -> None:
        footprint = self.random.choice(self.setting.footprints)
        state = State((self.random.randrange(7), self.random.randrange(7)), 99)
        try:
            agent, step = self.scheduler.add(
                state.place,
                sight=self.told(footprint),
                speed=footprint.speed,
                reach=footprint.reach,
            )
        except errors.JoinsAheadError:
            return
        if step >= self.setting.steps:
            self.scheduler.remove([agent])
            self.setting.footprints.append(footprint)
            return
        self.setting.footprints.append(footprint)
        join = Join(agent, step, state)
        self.world.join(join)
        self.changes.append(join)


def differs(run: OutOfOrder, kind: type[World]) -> bool:
    world = run.run()
    return world != in_step(kind, run.setting, run.changes)


CASES = [("conservative", Versioned), ("compatibility", InPlace)]


@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_out_of_order_ends_as_in_lockstep(rule, kind):
    overtook = waited = 0
    for seed in seeds(200):
        uniform = seed % 2 == 0 if kind is InPlace else False
        run = OutOfOrder(kind, rule, Setting.drawn(seed, uniform=uniform))
        assert not differs(run, kind), f"differs from lock-step: HEADWAY_SEED={seed}"
        overtook += run.lead > 1
        waited += run.waits > 0
    count = len(seeds(200))
    assert overtook > count // 4 or count == 1, "hardly anybody overtook anybody"
    assert waited > count // 2 or count == 1, "hardly anybody waited"


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_out_of_order_ends_as_in_lockstep_over_thousands_of_seeds(rule, kind):
    for seed in seeds(4000):
        run = OutOfOrder(kind, rule, Setting.drawn(seed + 10_000, uniform=seed % 2 == 0))
        assert not differs(run, kind), f"differs from lock-step: HEADWAY_SEED={seed}"


@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_a_sight_told_too_small_shows(rule, kind):
    wrong = 0
    for seed in range(60):
        setting = Setting.drawn(seed, uniform=True)
        # Sight must be what decides, or a smaller one changes nothing.
        print_ = replace(setting.footprints[0], sight=4, reach=2, speed=1)
        setting.footprints = [print_] * len(setting.footprints)
        wrong += differs(OutOfOrder(kind, rule, setting, told_sight=-2), kind)
    assert wrong > 5


def test_neighbours_that_part_show_in_a_world_changed_in_place():
    # The conservative rule lets them part: without versions that must be noticed.
    wrong = sum(
        differs(OutOfOrder(InPlace, "conservative", Setting.drawn(seed)), InPlace)
        for seed in range(60)
    )
    assert wrong > 20


def test_the_same_seed_gives_the_same_run():
    runs = [OutOfOrder(Versioned, "conservative", Setting.drawn(3)) for _ in range(2)]
    assert runs[0].run() == runs[1].run()
    assert runs[0].changes == runs[1].changes
