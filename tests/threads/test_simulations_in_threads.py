"""Simulations in several threads: one is run by one, and many give what each gives alone."""

from __future__ import annotations

import gc
import threading
from random import Random

import pytest
from together import together

from headway import Action, Agent, Grid, Simulation, errors
from headway.live.garbage import YOUNG_OBJECTS
from headway.testing import random_simulation


class Waiter(Agent):
    """Tells that it has begun, and ends its first step when it is let go."""

    def __init__(self, name="waiter", position=(0, 0)):
        super().__init__(name, position)
        self.begun, self.go = threading.Event(), threading.Event()

    def step(self, view):
        self.begun.set()
        self.go.wait()
        return Action(move=view.toward((5, 0)))


def waiting():
    waiter = Waiter()
    return waiter, Simulation(Grid(9, 9), [waiter])


def test_a_second_thread_cannot_run_a_simulation_that_runs():
    waiter, simulation = waiting()

    def meddle():
        waiter.begun.wait()
        try:
            with pytest.raises(errors.OptionError, match="running already in another thread"):
                simulation.run(9)
            with pytest.raises(errors.OptionError, match="runs in another thread cannot be read"):
                simulation.final_state()
            with pytest.raises(errors.OptionError, match="runs in another thread cannot be read"):
                simulation.outcome()
            assert not simulation.outcome(final=False).finished
        finally:
            waiter.go.set()

    outcome, _ = together(lambda: simulation.run(3), meddle)
    assert outcome.finished and outcome.final["agents"]["waiter"]["position"] == [3, 0]
    assert simulation.final_state() == outcome.final
    assert simulation.run(5).final["agents"]["waiter"]["position"] == [5, 0]


def test_of_threads_that_run_one_simulation_at_once_one_does():
    for _ in range(20):
        waiter, simulation = waiting()
        decided = threading.Semaphore(0)
        waiter.begun.set = decided.release

        def run(simulation=simulation, decided=decided):
            try:
                return simulation.run(1).agent_steps
            except errors.OptionError:
                decided.release()
                return None

        def let_go(waiter=waiter, decided=decided):
            for _ in range(4):
                decided.acquire()  # each has been refused, or is in its first step
            waiter.go.set()

        *steps, _ = together(run, run, run, run, let_go)
        assert sorted(steps, key=str) == [1, None, None, None]


class Walker(Agent):
    """Walks around walls, and brings about somebody now and then."""

    def __init__(self, name, position, goals):
        super().__init__(name, position)
        self.goals = goals

    def step(self, view):
        goal = view.random.choice(self.goals)
        action = Action(move=view.toward(goal), say=f"{len(view.neighbours)} are near")
        if view.step % 7 == 3 and "." not in self.name:
            action.spawn = [Walker(f"{self.name}.{view.step}", view.position, self.goals)]
        return action


def told(simulation, **options):
    """What a run gives, and the events it tells of."""
    events = []
    outcome = simulation.run(20, on_event=lambda event: events.append(event.to_json()), **options)
    assert outcome.finished
    return outcome.final, events


def test_different_simulations_in_threads_give_what_each_gives_alone():
    seeds = range(12)
    alone = [told(random_simulation(seed), schedule="lockstep") for seed in seeds]

    def some(at):
        return [told(random_simulation(seed), engine="scripted:2") for seed in seeds[at::4]]

    in_threads = together(*[lambda at=at: some(at) for at in range(4)])
    assert [in_threads[seed % 4][seed // 4] for seed in seeds] == alone


def test_simulations_that_share_a_space_give_what_each_gives_alone():
    chance = Random(5)
    walls = {(chance.randrange(20), chance.randrange(20)) for _ in range(90)}
    free = [(x, y) for x in range(20) for y in range(20) if (x, y) not in walls]

    def crowd(space, seed):
        places = [Random(seed * 100 + number).choice(free) for number in range(12)]
        people = [Walker(f"a{number}", place, free) for number, place in enumerate(places)]
        return Simulation(space, people, seed=seed)

    alone = [told(crowd(Grid(20, 20, walls=sorted(walls)), seed)) for seed in range(4)]
    space = Grid(20, 20, walls=sorted(walls))
    jobs = [lambda seed=seed: told(crowd(space, seed)) for seed in range(4)]
    assert together(*jobs) == alone


def test_figures_can_be_asked_for_from_another_thread():
    simulation = random_simulation(3)
    steps = [0]

    def look():
        outcome = simulation.outcome(final=False)
        assert outcome.agent_steps >= steps[-1]
        steps.append(outcome.agent_steps)

    (outcome,) = together(lambda: simulation.run(40), watching=(look,))
    assert outcome.final == random_simulation(3).run(40, schedule="lockstep").final


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_how_often_python_collects_is_put_back_by_the_last_run_to_end(first_to_end):
    before = gc.get_threshold()
    assert 0 < before[0] < YOUNG_OBJECTS
    runs = [waiting(), waiting()]
    ended = [threading.Event(), threading.Event()]
    seen = []

    def run(at):
        if at == 1:
            runs[0][0].begun.wait()
        runs[at][1].run(1)
        ended[at].set()

    def steer():
        for waiter, _ in runs:
            waiter.begun.wait()
        for at in (first_to_end, 1 - first_to_end):
            seen.append(gc.get_threshold()[0])
            runs[at][0].go.set()
            ended[at].wait()

    together(lambda: run(0), lambda: run(1), steer)
    assert seen == [YOUNG_OBJECTS, YOUNG_OBJECTS]
    assert gc.get_threshold() == before
